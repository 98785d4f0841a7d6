#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <variant>

#include "common/check.h"
#include "tools/conn_flood/socket.h"
#include "tools/conn_flood/wire.h"
#include "tools/conn_flood/worker.h"

// The worker's half that deals with bytes: what a socket reports, the server's frames, our own.
namespace holdfast::flood {
namespace {

constexpr uint32_t kHangUpEvents = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
constexpr uint32_t kPingFloodIntervalMs = 100;

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

void Worker::on_event(uint32_t index, uint32_t events) {
  const bool hung_up = (events & kHangUpEvents) != 0;
  const ClientState state = clients_[index].state;
  if (state == ClientState::kConnecting) return on_connect_event(index, events);
  if (state == ClientState::kSecuring) return shake_hands(index);
  // TLS may want to read before it can write, and to write before it can read.
  const bool is_secured = tls_ != nullptr;
  const bool may_write = (events & EPOLLOUT) != 0 || is_secured;
  if (may_write && clients_[index].has_unsent_output) flush_unsent(index);
  if (state == ClientState::kDeaf && !hung_up) return;
  if (hung_up || (events & EPOLLIN) != 0 || is_secured) read_frames(index, hung_up);
}

void Worker::on_connect_event(uint32_t index, uint32_t events) {
  if ((events & (EPOLLERR | EPOLLHUP)) != 0) {
    const int error = pending_error(clients_[index].fd);
    // A reset comes after the handshake: the server may have said why before it.
    if (error != 0 && error != ECONNRESET && error != EPIPE) {
      fail_connect(index, error);
      return;
    }
  } else if ((events & (EPOLLOUT | EPOLLIN)) == 0) {
    return;
  }

  Client& client = clients_[index];
  move(client, tls_ == nullptr ? ClientEvent::kEstablished : ClientEvent::kSecures);
  counters()[Count::kEstablished].add();
  read_clock();
  tally_.latencies.connect_us.record(static_cast<uint32_t>(now_us_) - client.connect_planned_us);
  if (tls_ != nullptr) return begin_tls(index);
  // A server that refuses speaks first. Read it before anything is sent that it would answer by a
  // reset.
  if ((events & EPOLLIN) != 0) read_frames(index, (events & kHangUpEvents) != 0);
  if (clients_[index].state == ClientState::kGreeting) send_hello(index);
}

IoResult Worker::receive(uint32_t index) {
  if (tls_ != nullptr) return tls_sides_[index].link->read(rx_);
  return flood::receive(clients_[index].fd, rx_);
}

IoResult Worker::transmit(uint32_t index, std::span<const std::byte> bytes) {
  if (tls_ != nullptr) return tls_sides_[index].link->write(bytes);
  return flood::transmit(clients_[index].fd, bytes);
}

// Reads until a short read: whatever comes later is a new edge. `to_the_end` when there will be
// none. With TLS, whose every read is short, until there is nothing.
void Worker::read_frames(uint32_t index, bool to_the_end) {
  for (;;) {
    const IoResult got = receive(index);
    switch (got.status) {
      case IoStatus::kDone:
        if (!take_bytes(index, std::span(rx_).first(got.bytes))) return;
        if (got.bytes < rx_.size() && !to_the_end && tls_ == nullptr) return;
        break;
      case IoStatus::kBlocked:
        return;
      case IoStatus::kEof:
        return end(index, EndCause::kEof);
      case IoStatus::kReset:
        return end(index, EndCause::kReset);
      case IoStatus::kTlsFailed:
        return end(index, EndCause::kTlsFailed);
    }
  }
}

// Returns false when the connection ended meanwhile.
bool Worker::take_bytes(uint32_t index, std::span<const std::byte> bytes) {
  read_clock();
  if (!clients_[index].has_partial_input) {
    const size_t taken = take_whole_frames(index, bytes);
    if (!has_socket(clients_[index].state)) return false;
    if (taken < bytes.size()) {
      partial_input_[index].append(bytes.subspan(taken));
      clients_[index].has_partial_input = true;
    }
    return true;
  }
  ByteBuffer& kept = partial_input_[index];
  kept.append(bytes);
  const size_t taken = take_whole_frames(index, kept.bytes());
  if (!has_socket(clients_[index].state)) return false;  // and `kept` is gone
  kept.consume(taken);
  if (kept.is_empty()) {
    partial_input_.erase(index);
    clients_[index].has_partial_input = false;
  }
  return true;
}

// Returns the bytes of whole frames; what it returns says nothing once the connection has ended.
size_t Worker::take_whole_frames(uint32_t index, std::span<const std::byte> bytes) {
  size_t taken = 0;
  while (taken < bytes.size()) {
    const native::DecodeResult result = wire::read_frame(bytes.subspan(taken));
    if (result.status == native::DecodeStatus::kNeedMore) break;
    if (result.status == native::DecodeStatus::kBad) {
      end(index, EndCause::kProtocolError);
      break;
    }
    taken += result.consumed;
    on_frame(index, result.frame);
    if (!has_socket(clients_[index].state)) break;
  }
  return taken;
}

void Worker::on_frame(uint32_t index, const Frame& frame) {
  const ClientState state = clients_[index].state;
  if (const auto* goaway = std::get_if<Goaway>(&frame)) {
    end(index, EndCause::kGoaway, *goaway);
    return;
  }
  if (std::holds_alternative<Welcome>(frame) != (state == ClientState::kGreeting)) {
    end(index, EndCause::kProtocolError);  // a WELCOME out of place, or something else in its place
    return;
  }
  if (state == ClientState::kDeaf) return;
  std::visit(Overloaded{
                 [&](const Welcome& welcome) { on_welcome(index, welcome); },
                 [&](const Ping& ping) { on_server_ping(index, ping); },
                 [&](const Pong& pong) { on_pong(index, pong); },
                 [&](const Message& message) { on_message(index, message); },
                 // ACKs answer what we never send; the codec refuses the device's own frames.
                 [&](const auto&) { end(index, EndCause::kProtocolError); },
             },
             frame);
}

void Worker::on_welcome(uint32_t index, const Welcome& welcome) {
  Client& client = clients_[index];
  if (welcome.heartbeat_s == 0 || welcome.timeout_s < welcome.heartbeat_s) {
    end(index, EndCause::kProtocolError);
    return;
  }
  move(client, ClientEvent::kWelcomed);
  --in_flight_;
  client.failures = 0;
  client.heartbeat_s = welcome.heartbeat_s;
  client.timeout_s = welcome.timeout_s;
  counters()[Count::kWelcomed].add();
  if (welcome.took_over) counters()[Count::kTookOver].add();
  if (!client.was_welcomed) counters().fate(client.behaviour, Fate::kWelcomed).add();
  client.was_welcomed = true;
  settle(client);
  tally_.latencies.welcome_us.record(static_cast<uint32_t>(now_us_) - client.connect_planned_us);

  // The first PING falls anywhere in the interval: clients that came together do not beat together.
  const uint32_t phase_ms = random_.below(uint32_t{client.heartbeat_s} * 1000);
  client.next_ping = whole_tick(now_ms().plus_ms(phase_ms));
  plan_act(client);
  if (phase_ >= Phase::kEnd) {
    farewell(index);
  } else {
    rearm(index);
  }
}

void Worker::on_server_ping(uint32_t index, const Ping& ping) {
  if (clients_[index].state != ClientState::kLive) {
    counters()[Count::kServerPingsIgnored].add();
    return;
  }
  send_frame(index, wire::write_pong(ping.echo, tx_));
  counters()[Count::kServerPingsAnswered].add();
}

void Worker::on_pong(uint32_t index, const Pong& pong) {
  if (pong.new_heartbeat_s.has_value()) {
    change_interval(index, *pong.new_heartbeat_s);
    if (pong.echo.empty()) return;  // told without being asked
  }
  Client& client = clients_[index];
  uint64_t planned_us = 0;
  const bool is_ours = wire::read_echo(pong.echo, planned_us) && planned_us <= now_us_;
  const WrappingMs planned(static_cast<uint32_t>(planned_us / 1000));
  if (!is_ours || client.pings_unanswered == 0 || planned.ms_until(client.last_ping) < 0) {
    counters()[Count::kPongsUnexpected].add();
    return;
  }
  --client.pings_unanswered;
  // The next oldest was planned at most an interval after this one.
  client.waiting_since =
      earlier_of(client.last_ping, planned.plus_ms(uint32_t{client.heartbeat_s} * 1000));
  counters()[Count::kPongs].add();
  record_round_trip(planned_us);
  if (planned_us >= hold_began_us_ && !client.is_answered_in_hold) {
    client.is_answered_in_hold = true;
    counters()[Count::kAnsweredInHold].add();
  }
  if (phase_ >= Phase::kEnd && client.state == ClientState::kLive) farewell(index);
}

void Worker::record_round_trip(uint64_t planned_us) {
  const uint64_t took_us = now_us_ - planned_us;
  Latencies& latencies = tally_.latencies;
  latencies.ping_rtt_us.record(took_us);
  tally_.live_rtt.record(took_us);
  if (planned_us >= hold_began_us_ && planned_us < calm_until_us_) {
    latencies.ping_rtt_calm_us.record(took_us);
  }
  if (has_seen_eviction_ && silent_ > 0) latencies.ping_rtt_evicting_us.record(took_us);
}

void Worker::change_interval(uint32_t index, uint16_t heartbeat_s) {
  Client& client = clients_[index];
  if (heartbeat_s == 0) return;
  const uint32_t misses = std::max<uint32_t>(1, client.timeout_s / client.heartbeat_s);
  client.heartbeat_s = heartbeat_s;
  client.timeout_s =
      static_cast<uint16_t>(std::min<uint32_t>(UINT16_MAX, uint32_t{heartbeat_s} * misses));
  counters()[Count::kIntervalChanges].add();
  if (client.state != ClientState::kLive) return;
  const uint32_t wait_ms = draw_ping_wait_ms(heartbeat_s, random_);
  client.next_ping = earlier_of(client.next_ping, whole_tick(now_ms().plus_ms(wait_ms)));
  rearm(index);
}

void Worker::on_message(uint32_t index, const Message& message) {
  counters()[Count::kMessages].add();
  if (!message.ack_id.has_value() || clients_[index].state != ClientState::kLive) return;
  send_frame(index, wire::write_ack(*message.ack_id, tx_));
}

void Worker::send_hello(uint32_t index) {
  const std::string id = plan_.device_id(plan_number(index));
  const uint16_t heartbeat_s = heartbeat_asked_s(options_, clients_[index].behaviour);
  send_frame(index, wire::write_hello(id, heartbeat_s, tx_));
}

// The next PING is planned from this one's plan, not from when it left: falling behind hides
// nothing.
void Worker::send_ping(uint32_t index) {
  Client& client = clients_[index];
  const WrappingMs planned = client.next_ping;
  if (client.pings_unanswered++ == 0) client.waiting_since = planned;
  client.last_ping = planned;
  client.next_ping = whole_tick(planned.plus_ms(draw_ping_wait_ms(client.heartbeat_s, random_)));
  send_frame(index, wire::write_ping(full_us(planned), tx_));
  counters()[Count::kPings].add();
}

// As much of a fixed run of PINGs as the socket takes, going on where the last send broke off.
void Worker::send_ping_flood(uint32_t index) {
  Client& client = clients_[index];
  client.state_due = now_ms().plus_ms(kPingFloodIntervalMs);
  rearm(index);
  if (client.has_unsent_output) return;  // the middle of an earlier frame
  const size_t frame_bytes = wire::write_long_ping(tx_);
  auto bytes = std::span<const std::byte>(ping_flood_).subspan(client.flood_offset);
  while (!bytes.empty()) {  // with TLS a record at a time
    const IoResult sent = transmit(index, bytes);
    if (sent.status != IoStatus::kDone) return;  // full, or broken: then its event comes
    bytes = bytes.subspan(sent.bytes);
    client.flood_offset = static_cast<uint16_t>((client.flood_offset + sent.bytes) % frame_bytes);
    counters()[Count::kSlowReaderBytes].add(sent.bytes);
  }
}

// Sends the frame that stands at the front of tx_.
void Worker::send_frame(uint32_t index, size_t bytes) {
  clients_[index].last_frame = now_ms();
  send_bytes(index, std::span(tx_).first(bytes));
}

// A broken socket is not dealt with here: its event comes and ends the connection in one place.
void Worker::send_bytes(uint32_t index, std::span<const std::byte> bytes) {
  Client& client = clients_[index];
  if (client.has_unsent_output) {
    unsent_output_[index].append(bytes);
    return;
  }
  const IoResult sent = transmit(index, bytes);
  if (sent.status != IoStatus::kDone && sent.status != IoStatus::kBlocked) return;
  if (sent.bytes == bytes.size()) return;
  unsent_output_[index].append(bytes.subspan(sent.bytes));
  client.has_unsent_output = true;
}

void Worker::flush_unsent(uint32_t index) {
  Client& client = clients_[index];
  ByteBuffer& kept = unsent_output_[index];
  while (!kept.is_empty()) {
    const IoResult sent = transmit(index, kept.bytes());
    if (sent.status != IoStatus::kDone) return;
    kept.consume(sent.bytes);
  }
  unsent_output_.erase(index);
  client.has_unsent_output = false;
}

}  // namespace holdfast::flood
