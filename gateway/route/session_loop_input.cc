#include <sys/socket.h>

#include <cerrno>
#include <utility>
#include <variant>

#include "common/log.h"
#include "common/protocol/proxy_protocol.h"
#include "gateway/route/session_loop.h"

namespace holdfast {

size_t SessionLoop::receive_bytes_of(const HotRecord& record) {
  if (is_before_tls(record.state)) return kReceiveBytesInHandshake;
  return record.has_tls ? kReceiveBytesWithinTls : kReceiveBytes;
}

void SessionLoop::take_turn(uint32_t slot, uint32_t events) {
  HotRecord& record = table_.hot(slot);
  if (record.state == SessionState::kClosed) return;
  record.is_input_waiting = false;
  if (record.state == SessionState::kLingering) return discard_input(slot);
  run_turn(slot, [&] {
    if ((events & EPOLLOUT) != 0 && record.has_io) flush_queue(slot);
    if ((events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) read_input(slot, events);
  });
}

void SessionLoop::read_input(uint32_t slot, uint32_t events) {
  const HotRecord& record = table_.hot(slot);
  const bool has_ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (!is_reading(record.state) || waits_for_step(slot, events)) return;
    const size_t wanted = receive_bytes_of(record);
    const ssize_t got = ::recv(record.fd, receive_buffer_.data(), wanted, 0);
    if (got == 0) return on_input_end(slot);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      return close(slot, CloseReason::kPeerReset);
    }
    const auto count = static_cast<size_t>(got);
    counters_.bytes_in.add(count);
    take_bytes(slot, {receive_buffer_.data(), count});
    // What is left of it would make no new edge.
    if (count == wanted && waits_for_step(slot, events | EPOLLIN)) return;
    // A short read emptied the socket; only a peer that has ended still has its end to be read.
    if (count < wanted && !has_ended) return;
  }
  if (is_reading(record.state)) read_again_later(slot);
}

void SessionLoop::on_input_end(uint32_t slot) {
  const HotRecord& record = table_.hot(slot);
  // Within TLS only close_notify tells an end from a cut. Frames have their own GOAWAY, so nothing
  // hangs on it here; but who looks for cut connections finds them counted.
  if (record.has_tls && record.state != SessionState::kTlsHandshake) {
    counters_.tls_truncated.add();
  }
  close(slot, CloseReason::kPeerClosed);
}

void SessionLoop::discard_input(uint32_t slot) {
  const HotRecord& record = table_.hot(slot);
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = ::recv(record.fd, receive_buffer_.data(), receive_buffer_.size(), 0);
    if (got > 0 || (got < 0 && errno == EINTR)) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    return retire(slot);
  }
  read_again_later(slot);
}

// The socket may hold more, and edge-triggered it will not say so again.
void SessionLoop::read_again_later(uint32_t slot) {
  HotRecord& record = table_.hot(slot);
  if (record.is_input_waiting) return;
  record.is_input_waiting = true;
  input_waiting_.push_back({slot, record.generation});
  loop_.run_rest_soon();
}

// What a socket gave: records, a handshake's messages, or frames as they are.
void SessionLoop::take_bytes(uint32_t slot, std::span<std::byte> bytes) {
  const HotRecord& record = table_.hot(slot);
  if (!record.has_tls) return consume(slot, bytes);
  if (record.state == SessionState::kTlsHandshake) return feed_handshake(slot, bytes);
  consume_records(slot, bytes);
}

void SessionLoop::consume(uint32_t slot, std::span<const std::byte> bytes) {
  const HotRecord& record = table_.hot(slot);
  ConnectionIo* const waiting = table_.io(slot);
  if (waiting == nullptr || waiting->input.is_empty()) {
    const size_t used = parse(slot, bytes);
    if (is_tls_due(slot)) return begin_handshake(slot, bytes.subspan(used));
    if (!is_reading(record.state) || used == bytes.size()) return;
    ConnectionIo& io = io_of(slot);
    const size_t before = io.input.capacity();
    io.input.append(bytes.subspan(used));
    io_bytes_ += io.input.capacity() - before;
    return;
  }
  ConnectionIo& io = *waiting;
  const size_t before = io.input.capacity();
  io.input.append(bytes);
  const size_t used = parse(slot, io.input.bytes());
  if (is_tls_due(slot)) {
    begin_handshake(slot, io.input.bytes().subspan(used));
    io_bytes_ -= before;
    return io.input.reset();
  }
  // A close leaves the buffer to drop_io_if_empty(), since what was parsed points into it.
  if (is_reading(record.state)) {
    io.input.consume(used);
    io.input.shrink();
  }
  io_bytes_ += io.input.capacity() - before;
}

// Takes whole pieces off the front of `input` until none is left or the connection closes. Returns
// the bytes of the pieces.
size_t SessionLoop::parse(uint32_t slot, std::span<const std::byte> input) {
  const HotRecord& record = table_.hot(slot);
  size_t used = 0;
  while (used < input.size() && is_reading(record.state)) {
    const auto rest = input.subspan(used);
    size_t step = 0;
    switch (record.state) {
      case SessionState::kAwaitProxyHeader:
        step = parse_proxy_header(slot, rest);
        break;
      case SessionState::kAwaitTransport:
        if (choose_transport(slot, rest)) continue;
        break;
      case SessionState::kTlsHandshake:
        return used;
      case SessionState::kAwaitProtocol:
        if (sniff_protocol(slot, rest)) continue;
        break;
      default:
        step = parse_frame(slot, rest);
        break;
    }
    if (step == 0) break;
    used += step;
  }
  return used;
}

size_t SessionLoop::parse_proxy_header(uint32_t slot, std::span<const std::byte> input) {
  const auto result = proxy_protocol::parse(input);
  if (result.status == proxy_protocol::ParseStatus::kNeedMore) return 0;
  if (result.status == proxy_protocol::ParseStatus::kBad) {
    close(slot, CloseReason::kBadProxyHeader);
    return 0;
  }
  // Without a source it is the balancer's own connection (a health check): the socket's address
  // stays.
  if (result.has_source) set_peer(slot, result);
  table_.hot(slot).state = first_state(slot);
  return result.consumed;
}

void SessionLoop::set_peer(uint32_t slot, const proxy_protocol::ParseResult& header) {
  const auto& bytes = header.source_bytes;
  const Address peer = header.is_ipv4 ? Address::from_ipv4({bytes[0], bytes[1], bytes[2], bytes[3]},
                                                           header.source_port)
                                      : Address::from_ipv6(bytes, header.source_port);
  ColdRecord& cold = table_.cold(slot);
  identity_bytes_ -= cold.peer.heap_bytes();
  cold.peer.set_address(peer);
  identity_bytes_ += cold.peer.heap_bytes();
  cold.is_address_counted = cold.address_epoch != 0;
  const HotRecord& record = table_.hot(slot);
  outbox_.post_to_acceptor(AddressSeen{peer, cold.address_epoch, index_, slot, record.generation});
}

// True when the protocol is known and its frames can be parsed.
bool SessionLoop::sniff_protocol(uint32_t slot, std::span<const std::byte> input) {
  switch (sniff(input)) {
    case SniffedProtocol::kNeedMore:
      return false;
    case SniffedProtocol::kNative:
      table_.hot(slot).state = SessionState::kAwaitHello;
      return true;
    default:
      close(slot, CloseReason::kUnknownProtocol);
      return false;
  }
}

size_t SessionLoop::parse_frame(uint32_t slot, std::span<const std::byte> input) {
  const native::FrameLimits limits{.body_bytes_max = settings_->frame_bytes_max,
                                   .sender = native::Sender::kDevice,
                                   .before_welcome = is_before_welcome(table_.hot(slot).state)};
  const native::DecodeResult result = native::decode_frame(input, limits);
  switch (result.status) {
    case native::DecodeStatus::kNeedMore:
      return 0;
    case native::DecodeStatus::kBad:
      if (log::is_on(log::Level::kDebug)) {
        log::debug("bad frame", {{"error", native::to_text(result.error)},
                                 {"peer", table_.cold(slot).peer.address().text()},
                                 {"device", table_.cold(slot).peer.device_id()}});
      }
      close(slot, result.error == native::DecodeError::kFrameTooLarge
                      ? CloseReason::kFrameTooLarge
                      : CloseReason::kProtocolError);
      return 0;
    case native::DecodeStatus::kFrame:
      break;
  }
  counters_.frames_in.add();
  on_frame(slot, result.frame);
  return result.consumed;
}

void SessionLoop::on_frame(uint32_t slot, const Frame& frame) {
  const FrameAction action = action_for(table_.hot(slot).state, kind_of(frame));
  if (table_.hot(slot).state == SessionState::kOpen) note_alive(slot);
  switch (action) {
    case FrameAction::kCloseProtocolError:
      return close(slot, CloseReason::kProtocolError);
    case FrameAction::kLogIn:
      return log_in(slot, std::get<Hello>(frame));
    case FrameAction::kAnswerPing:
      return answer_ping(slot, std::get<Ping>(frame));
    case FrameAction::kNoteAlive:
      return;
    case FrameAction::kRouteMessage:
      return answer_message(slot, std::get<Message>(frame));
    case FrameAction::kChangeSubscriptions: {
      const auto* subscribe = std::get_if<Subscribe>(&frame);
      const uint32_t id = subscribe != nullptr ? subscribe->id : std::get<Unsubscribe>(frame).id;
      return say(slot, Ack{.id = id, .status = AckStatus::kUnavailable});
    }
    case FrameAction::kCloseGoodbye:
      return close(slot, CloseReason::kGoodbye);
  }
}

void SessionLoop::log_in(uint32_t slot, const Hello& hello) {
  if (is_draining_) return close(slot, CloseReason::kDraining, drain_window_ms_);
  if (outbox_.is_full()) return close(slot, CloseReason::kOverloaded);
  if (!is_device_certified(slot, hello.device_id)) return close(slot, CloseReason::kUnauthorized);
  drop_tls_entry(slot);
  HotRecord& record = table_.hot(slot);
  PeerIdentity& peer = table_.cold(slot).peer;
  identity_bytes_ -= peer.heap_bytes();
  peer.set_device(hello.device_id, hello.attributes);
  identity_bytes_ += peer.heap_bytes();
  table_.awaiting_hello.remove(slot);
  table_.sessions.push_newest(slot);
  record.state = SessionState::kOpen;
  record.last_activity = now_;
  record.heartbeat_s = granted_heartbeat_s(settings_->liveness, hello.heartbeat_s);
  record.misses = settings_->liveness.misses;
  schedule(slot);
  counters_.logins.add();
  const auto older = router_.directory().claim(hello.device_id, ref_of(slot));
  say(slot, Welcome{.took_over = older.has_value(),
                    .heartbeat_s = record.heartbeat_s,
                    .timeout_s = record.timeout_s(),
                    .session_id = session_id_of(slot),
                    .server_time_ms = wall_clock_ms()});
  if (older) take_over(*older);
}

void SessionLoop::take_over(SessionRef older) {
  counters_.take_overs.add();
  if (older.loop() != index_) {
    outbox_.post_command(older.loop(), Kick{older, CloseReason::kTakenOver, 0});
  } else if (is_session(older)) {
    close(older.slot(), CloseReason::kTakenOver);
  }
}

// Any complete frame of a device is a heartbeat. It costs two stores, and a move in the LRU list at
// most once a second; the wheel finds out when it fires.
void SessionLoop::note_alive(uint32_t slot) {
  table_.note_activity(slot, now_);
  HotRecord& record = table_.hot(slot);
  if (!record.is_pinged) return;
  record.is_pinged = false;
  schedule(slot);
}

void SessionLoop::answer_ping(uint32_t slot, const Ping& ping) {
  counters_.heartbeats.add();
  HotRecord& record = table_.hot(slot);
  if (!record.has_grant) {
    return say(slot, Pong{.new_heartbeat_s = std::nullopt, .echo = ping.echo});
  }
  record.has_grant = false;
  // The bounds may have changed since it was granted.
  const uint16_t granted_s = std::exchange(table_.cold(slot).granted_heartbeat_s, uint16_t{0});
  record.heartbeat_s = granted_heartbeat_s(settings_->liveness, granted_s);
  record.misses = settings_->liveness.misses;
  schedule(slot);
  say(slot, Pong{.new_heartbeat_s = record.heartbeat_s, .echo = ping.echo});
}

void SessionLoop::answer_message(uint32_t slot, const Message& message) {
  counters_.messages_in.add();
  counters_.messages_dropped.add();
  if (message.ack_id) say(slot, Ack{.id = *message.ack_id, .status = AckStatus::kUnavailable});
}

}  // namespace holdfast
