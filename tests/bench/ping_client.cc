#include "tests/bench/ping_client.h"

#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "common/check.h"

namespace holdfast::bench {
namespace {

constexpr size_t kReceiveBytes = 4096;
constexpr size_t kFrameBytesMax = 256;  // of the frames that a device sends
constexpr Nanoseconds kSecondNs = 1'000'000'000;
constexpr Nanoseconds kWelcomeWaitNs = 20 * kSecondNs;

// 16 characters, as many device ids have about.
std::string device_id(uint32_t number) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "bench-%010u", number);
  return text.data();
}

timespec to_timespec(Nanoseconds duration) {
  return {.tv_sec = static_cast<time_t>(duration / kSecondNs),
          .tv_nsec = static_cast<long>(duration % kSecondNs)};
}

}  // namespace

Nanoseconds monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<Nanoseconds>(now.tv_sec) * kSecondNs + static_cast<Nanoseconds>(now.tv_nsec);
}

PingClient::PingClient(const Address& target, uint32_t connections, uint32_t first_id,
                       const DeviceProtocol& protocol, uint16_t heartbeat_s, const TlsContext* tls)
    : target_(target),
      protocol_(protocol),
      first_id_(first_id),
      heartbeat_s_(heartbeat_s),
      tls_(tls),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(connections),
      receive_buffer_(kReceiveBytes) {
  HF_CHECK(epoll_.is_open());
}

Status PingClient::connect_all() {
  for (uint32_t index = 0; index < size(); ++index) {
    Status status = connect_one(index);
    if (status.is_ok()) status = wait_for_unwelcomed(kUnwelcomedMax - 1);
    if (!status.is_ok()) return status;
  }
  return wait_for_unwelcomed(0);
}

Status PingClient::arrive_all(Nanoseconds give_up) {
  for (uint32_t index = 0; index < size() && monotonic_ns() < give_up; ++index) {
    Status status = connect_one(index);
    if (!status.is_ok()) return status;
    if (index % kBunchMax == 0) poll_until(0);
  }
  arrivals_.last_connect = monotonic_ns();
  while (unwelcomed_ > 0 && monotonic_ns() < give_up) poll_until(give_up);
  return Status::ok();
}

Status PingClient::connect_one(uint32_t index) {
  auto connection = std::make_unique<Connection>();
  connection->number = first_id_ + index;
  connection->began = monotonic_ns();
  const uint32_t source_number = connection->number / kConnectionsPerSource;
  Result<DeviceStream> stream = DeviceStream::connect(target_, source_number, tls_);
  if (!stream.is_ok()) return stream.status();
  connection->stream = std::move(stream.value());
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.ptr = connection.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection->stream.fd(), &event) != 0) {
    return Status::error(std::string("epoll_ctl: ") + std::strerror(errno));
  }
  connections_[index] = std::move(connection);
  ++unwelcomed_;
  static_cast<void>(begin_session(*connections_[index]));
  return Status::ok();
}

// Says HELLO as soon as TLS stands; false until then.
bool PingClient::begin_session(Connection& connection) {
  const HandshakeStep step = connection.stream.handshake();
  if (step == HandshakeStep::kFailed) lose(connection, "TLS handshake: " + tls_error_text());
  if (step != HandshakeStep::kDone) return false;
  connection.has_said_hello = true;
  arrivals_.handshake_ns.record(monotonic_ns() - connection.began);
  std::array<std::byte, kFrameBytesMax> hello{};
  const size_t bytes = protocol_.encode_hello(device_id(connection.number), heartbeat_s_, hello);
  if (connection.stream.send(std::span(hello).first(bytes)) != static_cast<ssize_t>(bytes)) {
    lose(connection, std::string("send HELLO: ") + std::strerror(errno));
  }
  return connection.stream.is_open();
}

Status PingClient::wait_for_unwelcomed(uint32_t at_most) {
  const Nanoseconds give_up = monotonic_ns() + kWelcomeWaitNs;
  while (unwelcomed_ > at_most && lost_connections_ == 0) {
    if (monotonic_ns() >= give_up) {
      return Status::error(std::to_string(unwelcomed_) + " connections had no WELCOME in time");
    }
    poll_until(give_up);
  }
  return lost_connections_ > 0 ? Status::error(first_loss_) : Status::ok();
}

void PingClient::set_window(Nanoseconds begin, Nanoseconds end) {
  window_begin_ = begin;
  window_end_ = end;
}

void PingClient::send_next(Nanoseconds planned) {
  Connection& connection = *connections_[next_];
  next_ = next_ + 1 == size() ? 0 : next_ + 1;
  if (connection.stream.is_open()) send_ping(connection, planned);
}

void PingClient::ping_all(Nanoseconds give_up) {
  const Nanoseconds now = monotonic_ns();
  for (uint32_t i = 0; i < size(); ++i) {
    send_next(now);
    if (i % kBunchMax == 0) poll_until(0);
  }
  while (tally_.answered < tally_.sent && monotonic_ns() < give_up) poll_until(give_up);
}

void PingClient::poll_until(Nanoseconds until) {
  now_ = monotonic_ns();
  const timespec wait = to_timespec(until > now_ ? until - now_ : 0);
  const int count = epoll_pwait2(epoll_.get(), ready_.data(), kBatchMax, &wait, nullptr);
  now_ = monotonic_ns();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = ready_[static_cast<size_t>(i)];
    receive(*static_cast<Connection*>(event.data.ptr), event.events);
  }
}

void PingClient::receive(Connection& connection, uint32_t events) {
  if (!connection.stream.is_open()) return;
  if (!connection.has_said_hello && !begin_session(connection)) return;
  // No further event tells of an end that was there with the bytes before it, nor of what TLS has
  // taken from the socket and not given yet.
  const bool is_more = tls_ != nullptr || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  while (connection.stream.is_open() && receive_some(connection) && is_more) {
  }
}

// False when there was nothing.
bool PingClient::receive_some(Connection& connection) {
  const ssize_t got = connection.stream.receive(receive_buffer_);
  if (got <= 0) {
    if (got == 0) {
      on_end(connection);
    } else if (errno != EAGAIN && errno != EINTR) {
      lose(connection, std::strerror(errno));
    }
    return false;
  }
  const std::span bytes = std::span(receive_buffer_).first(static_cast<size_t>(got));
  ByteBuffer& incomplete = connection.incomplete;
  if (incomplete.is_empty()) {
    read_frames(connection, bytes);
    return true;
  }
  incomplete.append(bytes);
  const std::vector<std::byte> all(incomplete.bytes().begin(), incomplete.bytes().end());
  incomplete.consume(all.size());
  read_frames(connection, all);
  return true;
}

void PingClient::read_frames(Connection& connection, std::span<const std::byte> bytes) {
  while (!bytes.empty() && connection.stream.is_open()) {
    const ServerFrameResult result = protocol_.read(bytes);
    if (result.frame == ServerFrame::kIncomplete) return connection.incomplete.append(bytes);
    on_frame(connection, result);
    bytes = bytes.subspan(result.consumed);
  }
}

void PingClient::on_frame(Connection& connection, const ServerFrameResult& result) {
  switch (result.frame) {
    case ServerFrame::kPong:
      return on_pong(connection);
    case ServerFrame::kPing:
      ++tally_.asked;
      return;
    case ServerFrame::kEvicted:
      connection.is_evicted = true;
      return;
    case ServerFrame::kWelcome:
      if (connection.is_welcomed) return lose(connection, "a second WELCOME");
      connection.is_welcomed = true;
      arrivals_.welcome_ns.record(now_ - connection.began);
      --unwelcomed_;
      return;
    case ServerFrame::kIncomplete:
    case ServerFrame::kUnexpected:
      return lose(connection, result.why);
  }
}

// Both protocols answer in the order of the questions.
void PingClient::on_pong(Connection& connection) {
  if (connection.planned.empty()) return lose(connection, "an answer without a PING");
  const Nanoseconds planned = connection.planned.front();
  connection.planned.erase(connection.planned.begin());
  ++tally_.answered;
  if (samples_ != nullptr) samples_->push_back({planned, now_ - planned});
  if (now_ >= window_begin_ && now_ < window_end_) ++tally_.answered_in_window;
  if (planned >= window_begin_ && planned < window_end_) {
    ++tally_.answered_of_window;
    tally_.round_trip_ns.record(now_ - planned);
  }
  if (is_echoing_) send_ping(connection, now_);
}

void PingClient::send_ping(Connection& connection, Nanoseconds planned) {
  std::array<std::byte, kFrameBytesMax> ping;
  const size_t bytes = protocol_.encode_ping(ping);
  if (connection.stream.send(std::span(ping).first(bytes)) != static_cast<ssize_t>(bytes)) {
    return lose(connection, std::string("send: ") + std::strerror(errno));
  }
  connection.planned.push_back(planned);
  ++tally_.sent;
  if (planned >= window_begin_ && planned < window_end_) ++tally_.sent_in_window;
}

void PingClient::on_end(Connection& connection) {
  if (!connection.is_evicted) return lose(connection, "the server closed a connection");
  ++tally_.evicted;
  connection.stream.close();
}

void PingClient::lose(Connection& connection, const std::string& why) {
  connection.stream.close();
  if (!connection.is_welcomed) --unwelcomed_;
  if (lost_connections_++ == 0) first_loss_ = why;
}

}  // namespace holdfast::bench
