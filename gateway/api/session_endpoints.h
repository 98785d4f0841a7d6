#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "gateway/api/http_connection.h"
#include "gateway/api/http_message.h"
#include "gateway/api/request_body.h"
#include "gateway/api/session_cursor.h"
#include "gateway/route/command.h"
#include "gateway/route/router.h"

namespace holdfast {

// The endpoints that ask a loop about its sessions: list, show, kick, change the heartbeat. Each
// posts a command, and the request waits here for the loop's reply.
// Thread: control only.
// Limit: one waiting request for each HTTP connection. One that waits longer than kReplyWaitMax is
// answered 504; when the loop's lane is full, 503 at once.
class SessionEndpoints final {
 public:
  using Respond = std::function<void(ExchangeId, const HttpResponse&)>;
  static constexpr Milliseconds kReplyWaitMax{5'000};
  static constexpr uint32_t kListLimitMax = 1000;
  static constexpr uint32_t kListLimitDefault = 100;

  SessionEndpoints(Router& router, Respond respond);
  SessionEndpoints(const SessionEndpoints&) = delete;
  SessionEndpoints& operator=(const SessionEndpoints&) = delete;

  void set_heartbeat_bounds(const HeartbeatBounds& bounds) { heartbeat_bounds_ = bounds; }

  // Each answers exactly once, through `respond`. `device` is a valid id.
  void list(ExchangeId exchange, const HttpRequest& request);
  void show(ExchangeId exchange, std::string device);
  void kick(ExchangeId exchange, std::string device);
  void set_heartbeat(ExchangeId exchange, std::string device, const HttpRequest& request);

  // What a loop answered. One that nobody waits for any more is dropped and counted.
  void on_reply(LoopReply&& reply);
  // Answers those that have waited too long.
  void check_deadlines(uint64_t now_ms);

  size_t waiting() const { return waiting_.size(); }
  uint64_t late_replies() const { return late_replies_; }

 private:
  struct Listing {
    uint32_t limit = 0;
    SessionCursor at;
    std::vector<SessionView> views;
  };
  struct Showing {
    std::string device;
  };
  struct Kicking {
    std::string device;
  };
  struct SettingHeartbeat {
    std::string device;
    uint16_t interval_s = 0;
  };
  struct Waiting {
    ExchangeId exchange;
    uint64_t deadline_ms = 0;
    std::variant<Listing, Showing, Kicking, SettingHeartbeat> what;
  };

  template <class Command, class What>
  void ask_session(ExchangeId exchange, Command&& command, What&& what);
  void ask(LoopIndex loop, RequestId request, LoopCommand&& command, Waiting&& waiting);
  void ask_for_more(Waiting&& waiting);
  void finish(const Waiting& waiting, const LoopReply& reply);
  void go_on_listing(Waiting&& waiting, SessionsListed&& listed);

  Router& router_;
  const Respond respond_;
  HeartbeatBounds heartbeat_bounds_;
  RequestId last_request_ = 0;
  std::unordered_map<RequestId, Waiting> waiting_;
  uint64_t late_replies_ = 0;
};

}  // namespace holdfast
