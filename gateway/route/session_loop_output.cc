#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "gateway/net/retry_delay.h"
#include "gateway/route/session_loop.h"

namespace holdfast {

void SessionLoop::send_turn_output(uint32_t slot) {
  if (turn_output_.is_empty()) return;
  transmit(slot, turn_output_.bytes());
  turn_output_.clear();
}

// Frames go out, in records where the connection has TLS. False when it was closed over it.
bool SessionLoop::transmit(uint32_t slot, std::span<const std::byte> bytes) {
  return transmit_raw(slot, table_.hot(slot).has_tls ? seal(slot, bytes) : bytes);
}

// Sends, or queues what the socket does not take. False when the connection was closed over it.
bool SessionLoop::transmit_raw(uint32_t slot, std::span<const std::byte> bytes) {
  const HotRecord& record = table_.hot(slot);
  if (table_.output_moved(slot)) return enqueue(slot, bytes);
  ssize_t sent = 0;
  do {
    sent = ::send(record.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) {
    if (errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS) {
      close(slot, CloseReason::kPeerReset);
      return false;
    }
    sent = 0;
  }
  counters_.bytes_out.add(static_cast<uint64_t>(sent));
  if (static_cast<size_t>(sent) == bytes.size()) return true;
  counters_.output_blocked.add();
  return enqueue(slot, bytes.subspan(static_cast<size_t>(sent)));
}

bool SessionLoop::enqueue(uint32_t slot, std::span<const std::byte> bytes) {
  ConnectionIo& io = io_of(slot);
  if (io.output.size() + bytes.size() > settings_->send_queue_bytes_max) {
    close(slot, CloseReason::kSlowConsumer);
    return false;
  }
  const bool was_empty = io.output.is_empty();
  const size_t before = io.output.capacity();
  io.output.append(bytes);
  io_bytes_ += io.output.capacity() - before;
  if (!was_empty) return true;
  io.output_moved = now_;
  schedule(slot);
  return true;
}

void SessionLoop::flush_queue(uint32_t slot) {
  const HotRecord& record = table_.hot(slot);
  ConnectionIo& io = *table_.io(slot);
  const size_t before = io.output.capacity();
  while (!io.output.is_empty()) {
    const auto waiting = io.output.bytes();
    const ssize_t sent = ::send(record.fd, waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS) break;
      return close(slot, CloseReason::kPeerReset);
    }
    counters_.bytes_out.add(static_cast<uint64_t>(sent));
    io.output_moved = now_;
    io.output.consume(static_cast<size_t>(sent));
  }
  io_bytes_ -= before - io.output.capacity();
}

// Every close goes through here, once: it is counted, the session leaves the directory and the
// lists, and the peer is told why.
void SessionLoop::close(uint32_t slot, CloseReason reason, uint32_t reconnect_window_ms) {
  HotRecord& record = table_.hot(slot);
  if (!is_reading(record.state)) return;
  counters_.closed[static_cast<size_t>(reason)].add();
  if (record.state == SessionState::kOpen) {
    router_.directory().release(table_.cold(slot).peer.device_id(), ref_of(slot));
    table_.sessions.remove(slot);
  } else {
    table_.awaiting_hello.remove(slot);
  }
  const bool is_listening = may_hear(slot, reason);
  if (record.state == SessionState::kTlsHandshake) abandon_handshake(slot, reason);
  record.state = SessionState::kLingering;
  const bool is_told = is_listening && say_goaway(slot, reason, reconnect_window_ms);
  // Even a socket that is closed at once is shut first: that sends the GOAWAY and the end of stream
  // in one segment, whereas close(2) throws away what is unsent when input lies unread.
  const bool is_shut = (is_told || lingers(reason)) && ::shutdown(record.fd, SHUT_WR) == 0;
  if (!is_shut || !lingers(reason)) return retire(slot);
  record.last_activity = now_;
  schedule(slot);
  if (slot != turn_slot_) drop_io_if_empty(slot);
}

// Whether a GOAWAY would be understood: not by one that is at its handshake, nor where only TLS is
// spoken and nothing shows yet that the peer does not.
bool SessionLoop::may_hear(uint32_t slot, CloseReason reason) const {
  switch (table_.hot(slot).state) {
    case SessionState::kTlsHandshake:
      return false;
    case SessionState::kAwaitTransport:
      return !tls_of(slot).is_required || reason == CloseReason::kTlsRequired;
    default:
      return true;
  }
}

// Behind whatever the connection's turn has to say, as far as the socket takes it: nothing waits
// for a peer that is being closed. True when the socket holds something that leaves with its end.
bool SessionLoop::say_goaway(uint32_t slot, CloseReason reason, uint32_t reconnect_window_ms) {
  const HotRecord& record = table_.hot(slot);
  const auto code = goaway_code(reason);
  std::array<std::byte, native::kControlFrameBytesMax> goaway{};
  size_t goaway_bytes = 0;
  if (code) {
    const bool is_told_when = *code == GoawayCode::kShedIdle || *code == GoawayCode::kOverloaded ||
                              *code == GoawayCode::kDraining || *code == GoawayCode::kRateLimited;
    goaway_bytes = native::encode(
        Goaway{.code = *code,
               .retry_after_ms = is_told_when ? random_retry_ms(reconnect_window_ms) : 0,
               .reason = to_text(reason),
               .other_address = {}},
        goaway);
  }
  const bool has_turn_output = slot == turn_slot_ && !turn_output_.is_empty();
  if (table_.output_moved(slot)) return false;  // would come in mid-frame
  const std::span<const std::byte> before =
      has_turn_output ? turn_output_.bytes() : std::span<const std::byte>{};
  std::array<std::span<const std::byte>, 2> last = {before, std::span(goaway).first(goaway_bytes)};
  if (record.has_tls) last = {seal_last(slot, reason, last[0], last[1]), {}};
  std::array<iovec, 2> parts{};
  size_t count = 0;
  for (const std::span<const std::byte> bytes : last) {
    if (bytes.empty()) continue;
    parts[count++] = {.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  }
  if (count == 0) return false;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = count;
  const ssize_t sent = ::sendmsg(record.fd, &message, MSG_NOSIGNAL | MSG_MORE);
  if (has_turn_output) turn_output_.clear();
  if (sent <= 0) return false;
  counters_.bytes_out.add(static_cast<uint64_t>(sent));
  return true;
}

void SessionLoop::retire(uint32_t slot) {
  HotRecord& record = table_.hot(slot);
  HF_CHECK(record.state == SessionState::kLingering);
  record.state = SessionState::kClosed;
  table_.wheel.cancel(slot);
  retired_.push_back(slot);
}

void SessionLoop::free_retired() {
  for (const uint32_t slot : retired_) {
    HotRecord& record = table_.hot(slot);
    ColdRecord& cold = table_.cold(slot);
    ::close(record.fd);
    if (cold.is_address_counted) {
      outbox_.post_to_acceptor(AddressReleased{cold.peer.address(), cold.address_epoch});
    }
    if (const ConnectionIo* io = table_.io(slot)) io_bytes_ -= io->allocated_bytes();
    if (const TlsConnection* tls = table_.tls(slot)) io_bytes_ -= tls->allocated_bytes();
    identity_bytes_ -= cold.peer.heap_bytes();
    table_.release(slot);
    load_.closed.add();
  }
  retired_.clear();
}

ConnectionIo& SessionLoop::io_of(uint32_t slot) {
  const bool is_new = !table_.hot(slot).has_io;
  ConnectionIo& io = table_.make_io(slot);
  if (is_new) io_bytes_ += io.allocated_bytes();
  return io;
}

// An idle connection owns no buffers, and neither does one that is closing.
void SessionLoop::drop_io_if_empty(uint32_t slot) {
  const ConnectionIo* const io = table_.io(slot);
  if (io == nullptr || (is_reading(table_.hot(slot).state) && !io->is_empty())) return;
  io_bytes_ -= io->allocated_bytes();
  table_.drop_io(slot);
}

}  // namespace holdfast
