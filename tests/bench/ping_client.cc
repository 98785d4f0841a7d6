#include "tests/bench/ping_client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

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

Address source_of(uint32_t index, uint32_t per_source) {
  const uint32_t host = 2 + index / per_source;
  return Address::from_ipv4({127, 0, static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)},
                            0);
}

Status failed(const char* call) {
  return Status::error(std::string(call) + ": " + std::strerror(errno));
}

bool set_on(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

// The port is chosen by connect(2), which knows the target, not by bind(2). Source: ip(7).
Status bind_source(int fd, const Address& source) {
  if (!set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT)) return failed("IP_BIND_ADDRESS_NO_PORT");
  sockaddr_storage native{};
  const socklen_t length = source.to_sockaddr(native);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&native), length) != 0) return failed("bind");
  return Status::ok();
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
                       const DeviceProtocol& protocol, uint16_t heartbeat_s)
    : target_(target),
      protocol_(protocol),
      first_id_(first_id),
      heartbeat_s_(heartbeat_s),
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

// Blocks in connect(2): on one machine it answers at once while fewer than the backlog wait.
Status PingClient::connect_one(uint32_t index) {
  auto connection = std::make_unique<Connection>();
  connection->socket.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = connection->socket.get();
  if (fd < 0) return failed("socket");
  if (!set_on(fd, IPPROTO_TCP, TCP_NODELAY)) return failed("TCP_NODELAY");
  if (target_.is_loopback()) {
    Status status = bind_source(fd, source_of(first_id_ + index, kConnectionsPerSource));
    if (!status.is_ok()) return status;
  }
  sockaddr_storage native{};
  const socklen_t length = target_.to_sockaddr(native);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&native), length) != 0) {
    return failed("connect");
  }
  epoll_event event{};
  event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  event.data.ptr = connection.get();
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return failed("epoll_ctl");

  std::array<std::byte, kFrameBytesMax> hello{};
  const size_t hello_bytes =
      protocol_.encode_hello(device_id(first_id_ + index), heartbeat_s_, hello);
  if (::send(fd, hello.data(), hello_bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(hello_bytes)) {
    return failed("send HELLO");
  }
  connections_[index] = std::move(connection);
  ++unwelcomed_;
  return Status::ok();
}

Status PingClient::wait_for_unwelcomed(uint32_t at_most) {
  const Nanoseconds give_up = monotonic_ns() + kWelcomeWaitNs;
  while (unwelcomed_ > at_most) {
    if (lost_connections_ > 0) return Status::error(first_loss_);
    if (monotonic_ns() >= give_up) {
      return Status::error(std::to_string(unwelcomed_) + " connections had no WELCOME in time");
    }
    poll_until(give_up);
  }
  return Status::ok();
}

void PingClient::set_window(Nanoseconds begin, Nanoseconds end) {
  window_begin_ = begin;
  window_end_ = end;
}

void PingClient::send_next(Nanoseconds planned) {
  Connection& connection = *connections_[next_];
  next_ = next_ + 1 == size() ? 0 : next_ + 1;
  if (connection.socket.is_open()) send_ping(connection, planned);
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
  // No further event tells of an end that was there with the bytes before it.
  const bool is_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  while (connection.socket.is_open() && receive_some(connection) && is_ended) {
  }
}

// False when there was nothing.
bool PingClient::receive_some(Connection& connection) {
  const ssize_t got =
      ::recv(connection.socket.get(), receive_buffer_.data(), receive_buffer_.size(), MSG_DONTWAIT);
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
  while (!bytes.empty() && connection.socket.is_open()) {
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
  const ssize_t sent =
      ::send(connection.socket.get(), ping.data(), bytes, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent != static_cast<ssize_t>(bytes)) {
    return lose(connection, std::string("send: ") + std::strerror(errno));
  }
  connection.planned.push_back(planned);
  ++tally_.sent;
  if (planned >= window_begin_ && planned < window_end_) ++tally_.sent_in_window;
}

void PingClient::on_end(Connection& connection) {
  if (!connection.is_evicted) return lose(connection, "the server closed a connection");
  ++tally_.evicted;
  connection.socket.reset();
}

void PingClient::lose(Connection& connection, const std::string& why) {
  connection.socket.reset();
  if (lost_connections_++ == 0) first_loss_ = why;
}

}  // namespace holdfast::bench
