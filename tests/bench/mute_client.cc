#include "tests/bench/mute_client.h"

#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/check.h"
#include "common/protocol/native.h"
#include "tests/bench/device_socket.h"

namespace holdfast::bench {
namespace {

constexpr Nanoseconds kSecondNs = 1'000'000'000;
constexpr Nanoseconds kMillisecondNs = 1'000'000;
constexpr Nanoseconds kWelcomeWaitNs = 20 * kSecondNs;
// An unsolicited PONG: it counts as a heartbeat and asks for no answer.
constexpr std::array<std::byte, 2> kLastFrame{std::byte{0x20}, std::byte{0}};
constexpr native::FrameLimits kLimits{
    .body_bytes_max = 1024, .sender = native::Sender::kServer, .before_welcome = false};

Nanoseconds to_ns(const timespec& moment) {
  return static_cast<Nanoseconds>(moment.tv_sec) * kSecondNs +
         static_cast<Nanoseconds>(moment.tv_nsec);
}

Nanoseconds realtime_ahead_of_monotonic() {
  timespec realtime{};
  clock_gettime(CLOCK_REALTIME, &realtime);
  return to_ns(realtime) - monotonic_ns();
}

// When the kernel had the last of what a message holds, or 0 when it does not say. Source:
// kernel Documentation/networking/timestamping.rst, SO_TIMESTAMPNS.
Nanoseconds kernel_stamp(msghdr& message) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS) continue;
    timespec stamp{};
    std::memcpy(&stamp, CMSG_DATA(part), sizeof stamp);
    return to_ns(stamp);
  }
  return 0;
}

}  // namespace

MuteClient::MuteClient(const Address& target, uint32_t connections, uint32_t first_id)
    : target_(target),
      first_id_(first_id),
      realtime_ahead_ns_(realtime_ahead_of_monotonic()),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      connections_(connections) {
  HF_CHECK(epoll_.is_open());
}

Status MuteClient::connect_all(uint16_t heartbeat_s) {
  Nanoseconds give_up = 0;
  for (Connection& connection : connections_) {
    Result<UniqueFd> socket = connect_device(target_, first_id_ + open_, heartbeat_s);
    if (!socket.is_ok()) return socket.status();
    connection.socket = std::move(socket.value());
    const int on = 1;
    ::setsockopt(connection.socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLRDHUP | EPOLLET;
    event.data.ptr = &connection;
    if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, connection.socket.get(), &event) != 0) {
      return Status::error(std::string("epoll_ctl: ") + std::strerror(errno));
    }
    ++open_;
    const uint32_t unwelcomed_max = open_ == connections_.size() ? 0 : kUnwelcomedMax;
    give_up = monotonic_ns() + kWelcomeWaitNs;
    while (open_ > welcomed_ + unwelcomed_max) {
      if (!tally_.first_surprise.empty()) return Status::error(tally_.first_surprise);
      if (monotonic_ns() >= give_up) return Status::error("a connection had no WELCOME in time");
      poll(give_up);
    }
  }
  return Status::ok();
}

Status MuteClient::fall_silent() {
  for (Connection& connection : connections_) {
    connection.deadline = monotonic_ns() + connection.timeout_s * kSecondNs;
    const ssize_t sent =
        ::send(connection.socket.get(), kLastFrame.data(), kLastFrame.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(kLastFrame.size())) {
      return Status::error(std::string("send: ") + std::strerror(errno));
    }
  }
  tally_.first_deadline = connections_.front().deadline;
  tally_.last_deadline = connections_.back().deadline;
  return Status::ok();
}

void MuteClient::await_evictions(Nanoseconds give_up) {
  while (open_ > 0 && monotonic_ns() < give_up) poll(give_up);
}

void MuteClient::poll(Nanoseconds until) {
  const Nanoseconds now = monotonic_ns();
  const auto wait_ms = static_cast<int>(until > now ? (until - now) / kMillisecondNs + 1 : 0);
  const int count = epoll_wait(epoll_.get(), ready_.data(), kBatchMax, wait_ms);
  for (int i = 0; i < count; ++i) {
    receive(*static_cast<Connection*>(ready_[static_cast<size_t>(i)].data.ptr));
  }
}

// Reads to the end of what is there: an end of stream must not wait for another edge. No frame that
// a silent device gets is ever cut in two by a socket that is all but empty.
void MuteClient::receive(Connection& connection) {
  std::array<std::byte, 1024> buffer;
  while (connection.socket.is_open()) {
    alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(timespec))> control;
    iovec place{.iov_base = buffer.data(), .iov_len = buffer.size()};
    msghdr message{};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t got = ::recvmsg(connection.socket.get(), &message, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(connection);
    const Nanoseconds stamp = kernel_stamp(message);
    const Nanoseconds arrived = stamp == 0 ? monotonic_ns() : stamp - realtime_ahead_ns_;
    read_frames(connection, std::span(buffer).first(static_cast<size_t>(got)), arrived);
  }
}

void MuteClient::read_frames(Connection& connection, std::span<const std::byte> bytes,
                             Nanoseconds arrived) {
  while (!bytes.empty()) {
    const native::DecodeResult result = native::decode_frame(bytes, kLimits);
    if (result.status != native::DecodeStatus::kFrame) {
      tally_.first_surprise = "bytes that are no whole frame";
      return;
    }
    if (const auto* welcome = std::get_if<Welcome>(&result.frame)) {
      connection.timeout_s = welcome->timeout_s;
      if (!std::exchange(connection.is_welcomed, true)) ++welcomed_;
    } else if (const auto* goaway = std::get_if<Goaway>(&result.frame)) {
      on_goaway(connection, *goaway, arrived);
    }
    bytes = bytes.subspan(result.consumed);
  }
}

void MuteClient::on_goaway(Connection& connection, const Goaway& goaway, Nanoseconds arrived) {
  if (goaway.code != GoawayCode::kHeartbeatTimeout || connection.deadline == 0) {
    tally_.first_surprise = "GOAWAY " + std::to_string(static_cast<int>(goaway.code));
    return;
  }
  connection.is_told = true;
  if (arrived < connection.deadline) ++tally_.early;
  tally_.late_ns.record(arrived - std::min(arrived, connection.deadline));
  tally_.last_eviction = std::max(tally_.last_eviction, arrived);
}

void MuteClient::end(Connection& connection) {
  connection.socket.reset();
  --open_;
  if (connection.is_told) {
    ++tally_.evicted;
    return;
  }
  ++tally_.ended_otherwise;
  if (tally_.first_surprise.empty()) tally_.first_surprise = "a connection ended without GOAWAY";
}

}  // namespace holdfast::bench
