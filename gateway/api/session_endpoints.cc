#include "gateway/api/session_endpoints.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/log.h"
#include "gateway/api/json_response.h"
#include "gateway/api/session_json.h"

namespace holdfast {
namespace {

HttpResponse not_connected(const std::string& device) {
  return error_response(404, "not_connected", "device '" + device + "' has no session here");
}

std::optional<uint32_t> parse_limit(std::string_view text) {
  uint32_t limit = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, limit);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  if (limit < 1 || limit > SessionEndpoints::kListLimitMax) return std::nullopt;
  return limit;
}

struct ListQuery {
  uint32_t limit = SessionEndpoints::kListLimitDefault;
  SessionCursor start;
};

Result<ListQuery> parse_list_query(std::string_view text, LoopIndex loops) {
  const std::optional<QueryPairs> pairs = parse_query(text);
  if (!pairs) return Status::error("the query has a broken escape");
  ListQuery query;
  for (const auto& [key, value] : *pairs) {
    if (key == "limit") {
      const std::optional<uint32_t> limit = parse_limit(value);
      if (!limit) return Status::error("limit must be a whole number from 1 to 1000");
      query.limit = *limit;
    } else if (key == "cursor") {
      // Empty as in "?cursor=": from the start.
      const auto cursor = value.empty() ? SessionCursor{} : parse_cursor(value, loops);
      if (!cursor) return Status::error("cursor must be a next_cursor of this node");
      query.start = *cursor;
    } else {
      return Status::error("unknown parameter '" + key + "': known are cursor, limit");
    }
  }
  return query;
}

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

RequestId request_of(const LoopReply& reply) {
  return std::visit(Overloaded{[](std::monostate) { return RequestId{0}; },
                               [](const auto& known) { return known.request; }},
                    reply);
}

}  // namespace

SessionEndpoints::SessionEndpoints(Router& router, Respond respond)
    : router_(router), respond_(std::move(respond)) {}

void SessionEndpoints::list(ExchangeId exchange, const HttpRequest& request) {
  const Result<ListQuery> query = parse_list_query(request.query, router_.loops());
  if (!query.is_ok()) {
    return respond_(exchange, error_response(400, "bad_query", query.status().message()));
  }
  const uint64_t deadline_ms = monotonic_ms() + static_cast<uint64_t>(kReplyWaitMax.count());
  ask_for_more({exchange, deadline_ms, Listing{query.value().limit, query.value().start, {}}});
}

void SessionEndpoints::show(ExchangeId exchange, std::string device) {
  ask_session(exchange, DescribeSession{}, Showing{std::move(device)});
}

void SessionEndpoints::kick(ExchangeId exchange, std::string device) {
  ask_session(exchange, Kick{}, Kicking{std::move(device)});
}

void SessionEndpoints::set_heartbeat(ExchangeId exchange, std::string device,
                                     const HttpRequest& request) {
  const Result<uint16_t> interval_s = parse_heartbeat_request(request.body, heartbeat_bounds_);
  if (!interval_s.is_ok()) {
    return respond_(exchange, error_response(400, "bad_body", interval_s.status().message()));
  }
  SetHeartbeat command;
  command.heartbeat_s = interval_s.value();
  ask_session(exchange, std::move(command),
              SettingHeartbeat{std::move(device), interval_s.value()});
}

// Sends `command` to the loop that has the device's session.
template <class Command, class What>
void SessionEndpoints::ask_session(ExchangeId exchange, Command&& command, What&& what) {
  const std::optional<SessionRef> session = router_.directory().find(what.device);
  if (!session) return respond_(exchange, not_connected(what.device));
  command.target = *session;
  command.request = ++last_request_;
  const uint64_t deadline_ms = monotonic_ms() + static_cast<uint64_t>(kReplyWaitMax.count());
  ask(session->loop(), last_request_, std::forward<Command>(command),
      {exchange, deadline_ms, std::forward<What>(what)});
}

void SessionEndpoints::ask(LoopIndex loop, RequestId request, LoopCommand&& command,
                           Waiting&& waiting) {
  if (!router_.post_command(router_.control_lane(), loop, std::move(command))) {
    return respond_(waiting.exchange, error_response(503, "loop_busy",
                                                     "the loop has too many commands waiting: try "
                                                     "again"));
  }
  waiting_.emplace(request, std::move(waiting));
}

void SessionEndpoints::ask_for_more(Waiting&& waiting) {
  const auto& listing = std::get<Listing>(waiting.what);
  const auto missing = listing.limit - static_cast<uint32_t>(listing.views.size());
  const SessionCursor at = listing.at;
  const RequestId request = ++last_request_;
  ask(at.loop, request, ListSessions{at.slot, missing, request}, std::move(waiting));
}

void SessionEndpoints::on_reply(LoopReply&& reply) {
  const auto found = waiting_.find(request_of(reply));
  if (found == waiting_.end()) {
    ++late_replies_;
    return;
  }
  Waiting waiting = std::move(found->second);
  waiting_.erase(found);
  if (auto* const listed = std::get_if<SessionsListed>(&reply)) {
    go_on_listing(std::move(waiting), std::move(*listed));
  } else {
    finish(waiting, reply);
  }
}

void SessionEndpoints::finish(const Waiting& waiting, const LoopReply& reply) {
  if (const auto* const described = std::get_if<SessionDescribed>(&reply)) {
    const std::string& device = std::get<Showing>(waiting.what).device;
    return respond_(waiting.exchange, described->view == nullptr
                                          ? not_connected(device)
                                          : json_response(200, session_json(*described->view)));
  }
  if (const auto* const kicked = std::get_if<KickDone>(&reply)) {
    const std::string& device = std::get<Kicking>(waiting.what).device;
    if (!kicked->is_found) return respond_(waiting.exchange, not_connected(device));
    log::info("session kicked by an operator", {{"device", device}});
    return respond_(waiting.exchange, json_response(200, {{"device", device}, {"kicked", true}}));
  }
  if (const auto* const set = std::get_if<HeartbeatSet>(&reply)) {
    const auto& [device, interval_s] = std::get<SettingHeartbeat>(waiting.what);
    if (!set->is_found) return respond_(waiting.exchange, not_connected(device));
    log::info("heartbeat changed by an operator", {{"device", device}, {"interval_s", interval_s}});
    respond_(waiting.exchange,
             json_response(200, {{"device", device},
                                 {"interval_s", interval_s},
                                 {"applies", "with the answer to the device's next PING"}}));
  }
}

void SessionEndpoints::go_on_listing(Waiting&& waiting, SessionsListed&& listed) {
  auto& listing = std::get<Listing>(waiting.what);
  std::move(listed.views.begin(), listed.views.end(), std::back_inserter(listing.views));
  std::optional<SessionCursor> next;
  if (listed.next_slot) {
    next = SessionCursor{listing.at.loop, *listed.next_slot};
  } else if (listing.at.loop + 1 < router_.loops()) {
    next = SessionCursor{static_cast<LoopIndex>(listing.at.loop + 1), 0};
  }
  if (next && listing.views.size() < listing.limit) {
    listing.at = *next;
    return ask_for_more(std::move(waiting));
  }
  Json sessions = Json::array();
  for (const SessionView& view : listing.views) sessions.push_back(session_json(view));
  Json body{{"sessions", std::move(sessions)}, {"next_cursor", nullptr}};
  if (next) body["next_cursor"] = cursor_text(*next);
  respond_(waiting.exchange, json_response(200, body));
}

void SessionEndpoints::check_deadlines(uint64_t now_ms) {
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    if (now_ms < at->second.deadline_ms) {
      ++at;
      continue;
    }
    const ExchangeId exchange = at->second.exchange;
    at = waiting_.erase(at);
    respond_(exchange, error_response(504, "loop_timeout", "the loop did not answer in time"));
  }
}

}  // namespace holdfast
