#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/address.h"
#include "common/status.h"
#include "gateway/api/access.h"
#include "gateway/api/endpoint.h"
#include "gateway/api/http_server.h"
#include "gateway/api/node_control.h"
#include "gateway/api/node_view.h"
#include "gateway/api/session_endpoints.h"
#include "gateway/net/event_base.h"
#include "gateway/route/command.h"

namespace holdfast {

// The operators' HTTP interface: health, metrics, statistics, sessions, drain.
// Thread: control only. What needs a session is asked of its loop by a command; the answer comes
// back through on_reply(). Nothing here waits for a client or a loop.
// Owns: the listening socket, its clients' connections, and the requests that wait for a loop.
// Limit: `connections_max` clients, each with the bounds of HttpConnection and HttpLimits, and
// SessionEndpoints::kReplyWaitMax for a loop.
class AdminServer final {
 public:
  static constexpr size_t kConnectionsMax = 32;

  // `base`, `control` and what `view` names outlive the server.
  AdminServer(EventBase& base, NodeView view, NodeControl& control);
  AdminServer(const AdminServer&) = delete;
  AdminServer& operator=(const AdminServer&) = delete;
  ~AdminServer();

  // What every request but /healthz must show as its bearer token. Without one (empty) only
  // programs of this machine are served, and only while bound to a loopback address. Open
  // connections meet a new token with their next request.
  void set_token(std::string token);
  // The intervals that PUT .../heartbeat takes.
  void set_heartbeat_bounds(uint16_t min_s, uint16_t max_s);

  // Listens; `bind` becomes the bound address when its port was 0. Call set_token() before: an
  // address that other machines reach is refused without one.
  Status open(Address& bind, size_t connections_max = kConnectionsMax);
  // What a loop answered; a reply that nobody waits for any more is dropped and counted.
  void on_reply(LoopReply&& reply) { sessions_.on_reply(std::move(reply)); }

 private:
  static constexpr Milliseconds kDeadlineCheckPeriod{250};

  void on_request(ExchangeId exchange, HttpRequest&& request);
  void dispatch(ExchangeId exchange, const Route& route, const HttpRequest& request);
  void dispatch_to_device(ExchangeId exchange, const Route& route, const HttpRequest& request);
  HttpResponse readiness() const;
  HttpResponse metrics() const;
  HttpResponse change_drain(const HttpRequest& request);
  HttpResponse start_drain(std::string_view body);
  HttpResponse stop_drain();
  void check_deadlines();

  const NodeView view_;
  NodeControl& control_;
  Access access_;
  HttpServer http_;
  SessionEndpoints sessions_;
  EventBase::Watch& deadline_timer_;
  uint64_t auth_failures_ = 0;
};

}  // namespace holdfast
