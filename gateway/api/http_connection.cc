#include "gateway/api/http_connection.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <sys/socket.h>

#include <string>
#include <utility>

#include "common/check.h"
#include "gateway/api/json_response.h"

namespace holdfast {
namespace {

constexpr HttpLimits kLimits;
// Reading pauses here. Above the largest request, so that one can always become whole.
constexpr size_t kInputBytesMax = kLimits.head_bytes_max + kLimits.body_bytes_max + 1;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

void HttpConnection::Free::operator()(bufferevent* owned) const {
  // bufferevent_free() leaves a part to the next round; its events must not outlive the socket.
  bufferevent_disable(owned, EV_READ | EV_WRITE);
  bufferevent_free(owned);
}

std::unique_ptr<HttpConnection> HttpConnection::open(event_base* base, UniqueFd socket,
                                                     uint64_t number, HttpConnectionOwner& owner) {
  bufferevent* const stream = bufferevent_socket_new(base, socket.get(), 0);
  if (stream == nullptr) return nullptr;
  std::unique_ptr<HttpConnection> connection(new HttpConnection(number, owner));
  connection->socket_ = std::move(socket);
  connection->stream_.reset(stream);
  bufferevent_setcb(stream, on_readable, on_drained, on_event, connection.get());
  bufferevent_setwatermark(stream, EV_READ, 0, kInputBytesMax);
  connection->begin_reading();
  return connection;
}

HttpConnection::HttpConnection(uint64_t number, HttpConnectionOwner& owner)
    : number_(number), owner_(owner) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::on_readable(bufferevent*, void* self) {
  auto* const connection = static_cast<HttpConnection*>(self);
  if (connection->state_ == State::kLingering) {
    connection->discard_input();
  } else {
    connection->read_request();
  }
  connection->tell_if_closed();
}

void HttpConnection::on_drained(bufferevent*, void* self) {
  auto* const connection = static_cast<HttpConnection*>(self);
  // Not kWriting: only a "100 Continue" has left.
  if (connection->state_ == State::kWriting) connection->finish_answer();
  connection->tell_if_closed();
}

void HttpConnection::on_event(bufferevent*, short, void* self) {
  auto* const connection = static_cast<HttpConnection*>(self);
  connection->state_ = State::kClosed;
  connection->tell_if_closed();
}

void HttpConnection::begin_reading() {
  state_ = State::kIdle;
  bytes_wanted_ = 1;
  is_continue_sent_ = false;
  set_deadline(kIdleTimeMax);
  bufferevent_enable(stream_.get(), EV_READ);
}

void HttpConnection::read_request() {
  evbuffer* const input = bufferevent_get_input(stream_.get());
  const size_t length = evbuffer_get_length(input);
  if (state_ > State::kReading || length == 0) return;
  if (state_ == State::kIdle) {
    state_ = State::kReading;
    set_deadline(kRequestTimeMax);
  }
  if (length < bytes_wanted_) return;
  const auto* const bytes = reinterpret_cast<const char*>(evbuffer_pullup(input, -1));
  HF_CHECK(bytes != nullptr);
  HttpParseResult result = parse_http_request({bytes, length}, kLimits);
  switch (result.status) {
    case HttpParseStatus::kNeedMore:
      bytes_wanted_ = result.bytes_wanted;
      if (result.awaits_continue && !is_continue_sent_) {
        is_continue_sent_ = true;
        bufferevent_write(stream_.get(), kContinue.data(), kContinue.size());
      }
      return;
    case HttpParseStatus::kBad:
      return refuse(result.error_status, result.error_code, result.error);
    case HttpParseStatus::kRequest:
      evbuffer_drain(input, result.consumed);
      return take_request(std::move(result.request));
  }
}

void HttpConnection::take_request(HttpRequest&& request) {
  ++requests_;
  state_ = State::kAnswering;
  keeps_alive_ = request.keeps_alive;
  is_head_request_ = request.method == "HEAD";
  bufferevent_disable(stream_.get(), EV_READ);
  owner_.on_request(*this, std::move(request));
}

// The bytes behind cannot be told apart any more, so the connection ends with this answer.
void HttpConnection::refuse(int status, std::string_view code, std::string_view message) {
  keeps_alive_ = false;
  is_head_request_ = false;
  bufferevent_disable(stream_.get(), EV_READ);
  write(error_response(status, code, message));
}

void HttpConnection::answer(const HttpResponse& response) {
  HF_CHECK(state_ == State::kAnswering);
  write(response);
}

void HttpConnection::write(const HttpResponse& response) {
  state_ = State::kWriting;
  set_deadline(kWriteTimeMax);
  const HttpResponseStyle style{keeps_alive_, !is_head_request_};
  const std::string bytes =
      response_bytes(response, style, static_cast<int64_t>(wall_clock_ms() / 1000));
  owner_.on_answered(response.status);
  // Queued only; the socket is written to in the event loop, and on_drained() follows.
  if (bufferevent_write(stream_.get(), bytes.data(), bytes.size()) != 0) state_ = State::kClosed;
}

void HttpConnection::finish_answer() {
  if (!keeps_alive_) return begin_lingering();
  begin_reading();
  // A pipelined request may be here already; no event will tell of it.
  read_request();
}

void HttpConnection::begin_lingering() {
  state_ = State::kLingering;
  set_deadline(kLingerTimeMax);
  ::shutdown(socket_.get(), SHUT_WR);
  discard_input();
  bufferevent_enable(stream_.get(), EV_READ);
}

void HttpConnection::discard_input() {
  evbuffer* const input = bufferevent_get_input(stream_.get());
  evbuffer_drain(input, evbuffer_get_length(input));
}

void HttpConnection::check_deadline(uint64_t now_ms) {
  // Who answers bounds the time that it takes.
  if (state_ == State::kAnswering || now_ms < deadline_ms_) return;
  if (state_ == State::kReading) {
    refuse(408, "request_timeout", "the request did not become whole in time");
  } else {
    state_ = State::kClosed;
  }
  tell_if_closed();
}

bool HttpConnection::may_give_way(uint64_t now_ms) const {
  if (state_ == State::kLingering) return true;
  constexpr auto kRestOfIdle = static_cast<uint64_t>((kIdleTimeMax - kIdleGrace).count());
  return state_ == State::kIdle && deadline_ms_ <= now_ms + kRestOfIdle;
}

void HttpConnection::set_deadline(Milliseconds from_now) {
  deadline_ms_ = monotonic_ms() + static_cast<uint64_t>(from_now.count());
}

void HttpConnection::tell_if_closed() {
  if (state_ == State::kClosed) owner_.on_closed(*this);
}

}  // namespace holdfast
