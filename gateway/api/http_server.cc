#include "gateway/api/http_server.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "common/log.h"
#include "gateway/api/json_response.h"
#include "gateway/net/listener.h"

namespace holdfast {
namespace {

constexpr Milliseconds kErrorBackoffFirst{150};
constexpr Milliseconds kErrorBackoffMax{1000};

}  // namespace

HttpServer::HttpServer(EventBase& base, Handler handler)
    : base_(base), handler_(std::move(handler)) {}

HttpServer::~HttpServer() {
  if (listener_watch_ != nullptr) listener_watch_->disable();
  if (resume_timer_ != nullptr) resume_timer_->disable();
}

Status HttpServer::open(Address& bind, size_t connections_max) {
  Result<UniqueFd> listener = open_listener(bind, kBacklog);
  if (!listener.is_ok()) return listener.status();
  listener_ = std::move(listener.value());
  connections_max_ = connections_max;
  open_spare();
  listener_watch_ = &base_.watch_readable(listener_.get(), [this] { on_listener_ready(); });
  resume_timer_ = &base_.timer([this] { resume(); });
  listener_watch_->enable();
  return Status::ok();
}

void HttpServer::on_listener_ready() {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    UniqueFd socket = accept_one();
    if (!socket.is_open()) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) on_accept_error(errno);
      return;
    }
    error_backoff_ = Milliseconds{0};
    adopt(std::move(socket));
  }
}

UniqueFd HttpServer::accept_one() {
  return UniqueFd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
}

// Any error rests the listener, those of a single connection too: one that came with every call
// would keep the control thread spinning.
void HttpServer::on_accept_error(int error) {
  ++counters_.accept_errors;
  if (error_backoff_ == Milliseconds{0}) {
    log::warn("admin accept failed: waiting before the next try",
              {{"error", std::strerror(error)}});
  }
  if ((error == EMFILE || error == ENFILE) && spare_.is_open()) {
    // An operator is needed most when descriptors have run out: the spare one serves one client.
    spare_.reset();
    UniqueFd socket = accept_one();
    if (socket.is_open()) adopt(std::move(socket));
  }
  rest();
}

void HttpServer::rest() {
  error_backoff_ = std::clamp(error_backoff_ * 2, kErrorBackoffFirst, kErrorBackoffMax);
  listener_watch_->disable();
  resume_timer_->enable_after(error_backoff_);
}

void HttpServer::resume() {
  if (!spare_.is_open()) open_spare();
  listener_watch_->enable();
}

void HttpServer::open_spare() { spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void HttpServer::adopt(UniqueFd socket) {
  ++counters_.accepted;
  if (connections_.size() >= connections_max_ && !make_room()) return refuse(std::move(socket));
  auto connection =
      HttpConnection::open(base_.native(), std::move(socket), ++connections_ever_, *this);
  if (connection == nullptr) {
    ++counters_.refused;
    return;
  }
  connections_.emplace(connections_ever_, std::move(connection));
}

bool HttpServer::make_room() {
  const uint64_t now_ms = monotonic_ms();
  auto next_to_go = connections_.end();
  for (auto at = connections_.begin(); at != connections_.end(); ++at) {
    if (!at->second->may_give_way(now_ms)) continue;
    if (next_to_go == connections_.end() ||
        at->second->deadline_ms() < next_to_go->second->deadline_ms()) {
      next_to_go = at;
    }
  }
  if (next_to_go == connections_.end()) return false;
  connections_.erase(next_to_go);
  return true;
}

void HttpServer::refuse(UniqueFd socket) {
  ++counters_.refused;
  const HttpResponse response =
      error_response(503, "too_many_connections", "all admin connections are busy");
  const std::string bytes = response_bytes(response, {.keeps_alive = false, .has_body = true},
                                           static_cast<int64_t>(wall_clock_ms() / 1000));
  on_answered(response.status);
  // Best effort: a fresh socket's buffer is empty, so this fails only when the client has gone.
  [[maybe_unused]] const ssize_t sent =
      ::send(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(socket.get(), SHUT_WR);
}

void HttpServer::respond(ExchangeId exchange, const HttpResponse& response) {
  const auto found = connections_.find(exchange.connection);
  if (found == connections_.end() || found->second->exchange() != exchange ||
      found->second->state() != HttpConnection::State::kAnswering) {
    ++counters_.late_answers;
    return;
  }
  found->second->answer(response);
}

void HttpServer::check_deadlines(uint64_t now_ms) {
  for (auto at = connections_.begin(); at != connections_.end();) {
    // The check may erase the element it is made on.
    HttpConnection& connection = *(at++)->second;
    connection.check_deadline(now_ms);
  }
}

void HttpServer::on_request(HttpConnection& connection, HttpRequest&& request) {
  handler_(connection.exchange(), std::move(request));
}

void HttpServer::on_closed(HttpConnection& connection) {
  connections_.erase(connection.number());
  if (!spare_.is_open()) open_spare();
}

}  // namespace holdfast
