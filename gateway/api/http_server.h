#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>

#include "common/address.h"
#include "common/clock.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "gateway/api/http_connection.h"
#include "gateway/api/http_message.h"
#include "gateway/net/event_base.h"

namespace holdfast {

// Accepts HTTP clients and holds their connections.
// Thread: control only. The process ignores SIGPIPE: libevent writes to clients that have gone.
// Owns: the listening socket, the connections, one spare descriptor.
// Limit: `connections_max` connections. A newcomer beyond them takes the place of the one that has
// been idle the longest; when all are busy it is answered 503 and closed. After a failing accept
// the listener rests, so that no more than 20 failing calls are made a second.
class HttpServer final : private HttpConnectionOwner {
 public:
  // The answer goes to respond(), from inside the call or later.
  using Handler = std::function<void(ExchangeId, HttpRequest&&)>;

  struct Counters {
    uint64_t accepted = 0;
    uint64_t accept_errors = 0;
    uint64_t refused = 0;               // no room
    uint64_t late_answers = 0;          // the client had gone
    std::map<int, uint64_t> responses;  // by status
  };

  HttpServer(EventBase& base, Handler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer() override;

  // `bind` becomes the bound address when its port was 0.
  Status open(Address& bind, size_t connections_max);
  // Drops and counts the answer when the client has gone.
  void respond(ExchangeId exchange, const HttpResponse& response);
  // Ends what is overdue. Call it a few times a second.
  void check_deadlines(uint64_t now_ms);

  size_t connections() const { return connections_.size(); }
  const Counters& counters() const { return counters_; }

 private:
  static constexpr int kAcceptsPerRound = 16;
  static constexpr int kBacklog = 128;

  // HttpConnectionOwner
  void on_request(HttpConnection& connection, HttpRequest&& request) override;
  void on_answered(int status) override { ++counters_.responses[status]; }
  void on_closed(HttpConnection& connection) override;

  void on_listener_ready();
  UniqueFd accept_one();
  void on_accept_error(int error);
  void adopt(UniqueFd socket);
  bool make_room();
  void refuse(UniqueFd socket);
  void rest();
  void resume();
  void open_spare();

  EventBase& base_;
  const Handler handler_;
  size_t connections_max_ = 0;
  UniqueFd listener_;
  UniqueFd spare_;
  EventBase::Watch* listener_watch_ = nullptr;
  EventBase::Watch* resume_timer_ = nullptr;
  Milliseconds error_backoff_{0};
  uint64_t connections_ever_ = 0;
  std::map<uint64_t, std::unique_ptr<HttpConnection>> connections_;
  Counters counters_;
};

}  // namespace holdfast
