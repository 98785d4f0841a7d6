#include "gateway/api/admin_server.h"

#include <cmath>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/clock.h"
#include "common/protocol/native.h"
#include "gateway/api/json_response.h"
#include "gateway/api/metrics.h"
#include "gateway/api/process_facts.h"
#include "gateway/api/request_body.h"
#include "gateway/api/stats.h"

namespace holdfast {
namespace {

HttpResponse not_found() {
  return error_response(404, "not_found", "there is nothing under this path");
}

HttpResponse method_not_allowed(Endpoint endpoint) {
  const std::string allowed(allowed_methods(endpoint));
  HttpResponse response = error_response(405, "method_not_allowed", "allowed here: " + allowed);
  response.headers.push_back({"Allow", allowed});
  return response;
}

}  // namespace

AdminServer::AdminServer(EventBase& base, NodeView view, NodeControl& control)
    : view_(std::move(view)),
      control_(control),
      http_(base, [this](ExchangeId exchange,
                         HttpRequest&& request) { on_request(exchange, std::move(request)); }),
      sessions_(view_.router,
                [this](ExchangeId exchange, const HttpResponse& response) {
                  http_.respond(exchange, response);
                }),
      deadline_timer_(base.timer([this] { check_deadlines(); })) {}

AdminServer::~AdminServer() { deadline_timer_.disable(); }

void AdminServer::set_token(std::string token) { access_.set_token(std::move(token)); }

void AdminServer::set_heartbeat_bounds(uint16_t min_s, uint16_t max_s) {
  sessions_.set_heartbeat_bounds({min_s, max_s});
}

Status AdminServer::open(Address& bind, size_t connections_max) {
  if (!bind.is_loopback() && !access_.has_token()) {
    return Status::error("admin.bind = \"" + bind.text() +
                         "\" can be reached by other machines: set admin.token_file, or bind to "
                         "127.0.0.1");
  }
  access_.set_reachable_by_others(!bind.is_loopback());
  Status status = http_.open(bind, connections_max);
  if (status.is_ok()) deadline_timer_.enable_every(kDeadlineCheckPeriod);
  return status;
}

void AdminServer::check_deadlines() {
  const uint64_t now_ms = monotonic_ms();
  sessions_.check_deadlines(now_ms);
  http_.check_deadlines(now_ms);
}

void AdminServer::on_request(ExchangeId exchange, HttpRequest&& request) {
  const std::optional<Route> route = route_for(request.path);
  // Who may not come in learns nothing of what is here, but for the health check of a balancer.
  if (!route || route->endpoint != Endpoint::kHealthz) {
    const AccessVerdict verdict = access_.check(request);
    if (verdict != AccessVerdict::kAllowed) {
      ++auth_failures_;
      return http_.respond(exchange, refusal(verdict));
    }
  }
  if (!route) return http_.respond(exchange, not_found());
  if (!is_allowed(route->endpoint, request.method)) {
    return http_.respond(exchange, method_not_allowed(route->endpoint));
  }
  dispatch(exchange, *route, request);
}

void AdminServer::dispatch(ExchangeId exchange, const Route& route, const HttpRequest& request) {
  switch (route.endpoint) {
    case Endpoint::kHealthz:
      return http_.respond(exchange, text_response(200, "ok"));
    case Endpoint::kReadyz:
      return http_.respond(exchange, readiness());
    case Endpoint::kMetrics:
      return http_.respond(exchange, metrics());
    case Endpoint::kStats:
      return http_.respond(
          exchange, json_response(200, stats_json(view_, control_.is_draining(), monotonic_ms())));
    case Endpoint::kDrain:
      return http_.respond(exchange, change_drain(request));
    case Endpoint::kSessions:
      return sessions_.list(exchange, request);
    case Endpoint::kSession:
    case Endpoint::kHeartbeat:
      return dispatch_to_device(exchange, route, request);
  }
}

void AdminServer::dispatch_to_device(ExchangeId exchange, const Route& route,
                                     const HttpRequest& request) {
  std::optional<std::string> device = percent_decode(route.device);
  if (!device || !native::is_valid_device_id(*device)) {
    return http_.respond(exchange, error_response(400, "bad_device",
                                                  "a device id is 1 to 64 of A-Z a-z 0-9 . _ : -"));
  }
  if (route.endpoint == Endpoint::kHeartbeat) {
    return sessions_.set_heartbeat(exchange, *std::move(device), request);
  }
  if (request.method == "DELETE") return sessions_.kick(exchange, *std::move(device));
  sessions_.show(exchange, *std::move(device));
}

HttpResponse AdminServer::readiness() const {
  if (control_.is_draining()) {
    return error_response(503, "draining", "this node sends its sessions away");
  }
  if (!view_.is_ready()) return error_response(503, "not_ready", "the listeners do not run yet");
  return text_response(200, "ready");
}

HttpResponse AdminServer::metrics() const {
  const HttpServer::Counters& http = http_.counters();
  const AdminFigures admin{.connections = http_.connections(),
                           .accepted = http.accepted,
                           .accept_errors = http.accept_errors,
                           .refused_connections = http.refused,
                           .auth_failures = auth_failures_,
                           .late_answers = http.late_answers,
                           .late_replies = sessions_.late_replies(),
                           .responses = http.responses};
  HttpResponse response;
  response.content_type = kMetricsContentType;
  response.body = metrics_text({.node = view_,
                                .admin = admin,
                                .process = read_process_facts(),
                                .is_ready = view_.is_ready(),
                                .is_draining = control_.is_draining(),
                                .now_ms = monotonic_ms()});
  return response;
}

HttpResponse AdminServer::change_drain(const HttpRequest& request) {
  return request.method == "POST" ? start_drain(request.body) : stop_drain();
}

HttpResponse AdminServer::start_drain(std::string_view body) {
  const Result<DrainRequest> parsed = parse_drain_request(body);
  if (!parsed.is_ok()) return error_response(400, "bad_body", parsed.status().message());
  const DrainRequest& drain = parsed.value();
  const uint64_t sessions = view_.sum(&LoopCounters::sessions);
  control_.start_drain(drain.rate_per_s,
                       static_cast<uint32_t>(std::lround(drain.reconnect_window_s * 1000)));
  return json_response(202, {{"draining", true},
                             {"sessions", sessions},
                             {"rate_per_s", drain.rate_per_s},
                             {"reconnect_window_s", drain.reconnect_window_s}});
}

HttpResponse AdminServer::stop_drain() {
  control_.stop_drain();
  if (control_.is_draining()) {
    return error_response(409, "stopping", "the process is stopping: its drain goes on");
  }
  return json_response(200,
                       {{"draining", false}, {"sessions", view_.sum(&LoopCounters::sessions)}});
}

}  // namespace holdfast
