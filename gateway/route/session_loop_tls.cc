#include <sys/epoll.h>

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "gateway/route/session_loop.h"

// The part that deals with TLS: which connections speak it, their handshakes, whose steps are done in
// idle moments or by other threads, and their records.
namespace holdfast {
namespace {

// How long a handshake may wait for its client while others wait for their turn.
constexpr int32_t kCrowdedGraceMs = 1000;
// Connections looked at for such handshakes in a tick.
constexpr int kCrowdedSlice = 256;

TlsFailure failure_of(CloseReason reason) {
  switch (reason) {
    case CloseReason::kTlsTimeout:
      return TlsFailure::kTimeout;
    case CloseReason::kPeerClosed:
    case CloseReason::kPeerReset:
      return TlsFailure::kPeerClosed;
    default:
      return TlsFailure::kCrowdedOut;
  }
}

}  // namespace

const ListenerTls& SessionLoop::tls_of(uint32_t slot) const {
  static const ListenerTls kNone;
  const size_t listener = table_.cold(slot).listener;
  return listener < settings_->tls.size() ? settings_->tls[listener] : kNone;
}

// Where a connection begins, once its address is known.
SessionState SessionLoop::first_state(uint32_t slot) const {
  return tls_of(slot).context == nullptr ? SessionState::kAwaitProtocol
                                         : SessionState::kAwaitTransport;
}

// The first bytes were those of a handshake, which has to begin.
bool SessionLoop::is_tls_due(uint32_t slot) const {
  const HotRecord& record = table_.hot(slot);
  return record.state == SessionState::kTlsHandshake && !record.has_tls;
}

// False while the first bytes do not tell yet, and when they close the connection.
bool SessionLoop::choose_transport(uint32_t slot, std::span<const std::byte> input) {
  const SniffedProtocol seen = sniff(input);
  if (seen == SniffedProtocol::kNeedMore) return false;
  HotRecord& record = table_.hot(slot);
  // A reload may have taken the certificate away since the connection was adopted.
  const bool is_tls_served = tls_of(slot).context != nullptr;
  if (seen == SniffedProtocol::kTls && is_tls_served) {
    record.state = SessionState::kTlsHandshake;
  } else if (!tls_of(slot).is_required) {
    record.state = SessionState::kAwaitProtocol;
  } else {
    counters_.tls_failed[static_cast<size_t>(TlsFailure::kNotTls)].add();
    close(slot, CloseReason::kTlsRequired);
  }
  return is_reading(record.state);
}

void SessionLoop::begin_handshake(uint32_t slot, std::span<const std::byte> input) {
  HotRecord& record = table_.hot(slot);
  TlsConnection& tls = table_.make_tls(slot);
  tls.entry = std::make_unique<TlsEntry>();
  tls.entry->handshake = std::make_unique<TlsHandshake>(tls_of(slot).context);
  io_bytes_ += tls.allocated_bytes();
  // It has come this far: the handshake has its own time, and so has what follows.
  record.last_activity = now_;
  table_.awaiting_hello.touch(slot);
  schedule(slot);
  feed_handshake(slot, input);
}

void SessionLoop::feed_handshake(uint32_t slot, std::span<const std::byte> input) {
  TlsEntry& entry = *table_.tls(slot)->entry;
  if (!entry.handshake->add_input(input)) {
    return fail_handshake(slot, TlsFailure::kProtocolError);
  }
  if (entry.handshake->has_whole_record()) ask_for_step(slot);
}

// While a step is asked for nothing is read: what came meanwhile is looked at after it.
bool SessionLoop::waits_for_step(uint32_t slot, uint32_t events) {
  if (table_.hot(slot).state != SessionState::kTlsHandshake) return false;
  TlsEntry& entry = *table_.tls(slot)->entry;
  if (entry.is_asked) entry.events |= events;
  return entry.is_asked;
}

void SessionLoop::ask_for_step(uint32_t slot) {
  TlsEntry& entry = *table_.tls(slot)->entry;
  entry.is_asked = true;
  desk_.ask(slot, table_.hot(slot).generation, entry.is_begun, entry.handshake->is_short());
  hand_out_steps();
}

void SessionLoop::hand_out_steps() {
  desk_.hand_out([this](auto... name) { return take_handshake(name...); });
  if (desk_.has_kept()) loop_.run_when_idle();
}

// Before a step; null when the connection or its peer has gone meanwhile.
std::unique_ptr<TlsHandshake> SessionLoop::take_handshake(uint32_t slot, uint32_t generation) {
  const bool is_current =
      table_.is_current(slot, generation) && table_.hot(slot).state == SessionState::kTlsHandshake;
  if (!is_current) return nullptr;
  TlsConnection& tls = *table_.tls(slot);
  if ((tls.entry->events & (EPOLLHUP | EPOLLERR)) != 0) {
    close(slot, CloseReason::kPeerReset);
    return nullptr;
  }
  if (!tls.entry->is_begun) {
    io_bytes_ -= tls.allocated_bytes();
    tls.entry->is_begun = true;
    io_bytes_ += tls.allocated_bytes();
    desk_.note_begun();
  }
  return std::move(tls.entry->handshake);
}

// In an idle moment.
void SessionLoop::do_kept_step() {
  HandshakeJob job = desk_.next_kept([this](auto... name) { return take_handshake(name...); });
  if (job.handshake != nullptr) {
    job.handshake->step();
    counters_.tls_steps_in_loop.add();
    on_stepped(job.slot, std::move(job.handshake));
  }
  hand_out_steps();
}

void SessionLoop::handle(HandshakeStepped&& command) {
  const HandshakeJob& job = command.job;
  desk_.note_returned(command.thread);
  counters_.tls_steps_on_threads.add();
  const bool is_current = table_.is_current(job.slot, job.generation) &&
                          table_.hot(job.slot).state == SessionState::kTlsHandshake;
  if (is_current) on_stepped(job.slot, std::move(command.job.handshake));
  hand_out_steps();
}

void SessionLoop::on_stepped(uint32_t slot, std::unique_ptr<TlsHandshake> handshake) {
  TlsEntry& entry = *table_.tls(slot)->entry;
  const uint32_t events = std::exchange(entry.events, 0);
  entry.is_asked = false;
  entry.handshake = std::move(handshake);
  const TlsHandshake& stepped = *entry.handshake;
  if (!stepped.output().empty() && !transmit_raw(slot, stepped.output())) return;
  switch (stepped.status()) {
    case TlsHandshake::Status::kWantsInput:
      if (stepped.has_whole_record()) {
        entry.events = events;
        return ask_for_step(slot);
      }
      return take_turn(slot, events);
    case TlsHandshake::Status::kDone:
      return secure(slot, events);
    case TlsHandshake::Status::kFailed:
      return fail_handshake(slot, stepped.failure());
  }
}

// The handshake has come to a connection: from here on its records carry frames.
void SessionLoop::secure(uint32_t slot, uint32_t events) {
  HotRecord& record = table_.hot(slot);
  TlsConnection& tls = *table_.tls(slot);
  const std::unique_ptr<TlsHandshake> handshake = std::move(tls.entry->handshake);
  tls.records = std::move(handshake->records());
  tls.entry->facts = std::move(handshake->facts());
  const TlsFacts& facts = tls.entry->facts;
  counters_.tls_established[static_cast<size_t>(facts.version)][facts.is_resumed].add();
  end_handshake(slot);
  record.state = SessionState::kAwaitProtocol;
  record.last_activity = now_;
  table_.awaiting_hello.touch(slot);
  schedule(slot);
  std::vector<std::byte> leftover(handshake->leftover().begin(), handshake->leftover().end());
  run_turn(slot, [&] {
    consume_records(slot, leftover);
    if (events != 0 && is_reading(table_.hot(slot).state)) read_input(slot, events);
  });
}

void SessionLoop::fail_handshake(uint32_t slot, TlsFailure failure) {
  const TlsEntry& entry = *table_.tls(slot)->entry;
  if (log::is_on(log::Level::kDebug)) {
    log::debug("TLS handshake failed",
               {{"failure", to_text(failure)},
                {"error", entry.handshake == nullptr ? "" : entry.handshake->failure_text()},
                {"peer", table_.cold(slot).peer.address().text()}});
  }
  counters_.tls_failed[static_cast<size_t>(failure)].add();
  close(slot, CloseReason::kTlsFailed);
}

// It no longer counts among those that are going on.
void SessionLoop::end_handshake(uint32_t slot) {
  TlsConnection& tls = *table_.tls(slot);
  if (!tls.entry->is_begun) return;
  io_bytes_ -= tls.allocated_bytes();
  tls.entry->is_begun = false;
  io_bytes_ += tls.allocated_bytes();
  desk_.note_ended();
}

// A connection closes in the middle of its handshake.
void SessionLoop::abandon_handshake(uint32_t slot, CloseReason reason) {
  if (reason != CloseReason::kTlsFailed) {
    counters_.tls_failed[static_cast<size_t>(failure_of(reason))].add();
  }
  if (table_.hot(slot).has_tls) end_handshake(slot);
}

// What its time is up for is the client's silence. One that waits for a step of ours has not been
// silent; it goes on, since what it has cost would be lost. One that has yet to begin has cost
// nothing.
void SessionLoop::on_handshake_overdue(uint32_t slot) {
  const TlsEntry& entry = *table_.tls(slot)->entry;
  if (!entry.is_asked || !entry.is_begun) return close(slot, CloseReason::kTlsTimeout);
  table_.hot(slot).last_activity = now_;
  table_.awaiting_hello.touch(slot);
  schedule(slot);
}

// Clients that stop in the middle must not keep others out for their whole time: whoever has kept a
// handshake waiting for longest gives way, as do newcomers that say nothing.
void SessionLoop::make_room_for_handshakes() {
  uint32_t slot = desk_.is_crowded() ? table_.awaiting_hello.idlest() : kNoSlot;
  for (int looked_at = 0; slot != kNoSlot && looked_at < kCrowdedSlice; ++looked_at) {
    const HotRecord& record = table_.hot(slot);
    if (record.last_activity.ms_until(now_) < kCrowdedGraceMs) break;
    const uint32_t next = table_.awaiting_hello.after(slot);
    const bool keeps_waiting = record.state == SessionState::kTlsHandshake &&
                               table_.tls(slot)->entry->is_begun &&
                               !table_.tls(slot)->entry->is_asked;
    if (keeps_waiting) fail_handshake(slot, TlsFailure::kCrowdedOut);
    slot = next;
  }
  hand_out_steps();
}

// `bytes`: what follows on what the connection has waiting. Opened in place.
void SessionLoop::consume_records(uint32_t slot, std::span<std::byte> bytes) {
  const HotRecord& record = table_.hot(slot);
  ConnectionIo* const waiting = table_.io(slot);
  if (waiting == nullptr || waiting->sealed.is_empty()) {
    const size_t used = open_records(slot, bytes);
    if (!is_reading(record.state) || used == bytes.size()) return;
    ConnectionIo& io = io_of(slot);
    const size_t before = io.sealed.capacity();
    io.sealed.append(bytes.subspan(used));
    io_bytes_ += io.sealed.capacity() - before;
    return;
  }
  ByteBuffer& sealed = waiting->sealed;
  const size_t before = sealed.capacity();
  sealed.append(bytes);
  const size_t used = open_records(slot, sealed.mutable_bytes());
  // As with plain input: a close leaves the buffer to drop_io_if_empty().
  if (is_reading(record.state)) {
    sealed.consume(used);
    sealed.shrink();
  }
  io_bytes_ += sealed.capacity() - before;
}

// Takes whole records off the front. Returns their bytes.
size_t SessionLoop::open_records(uint32_t slot, std::span<std::byte> input) {
  const HotRecord& record = table_.hot(slot);
  TlsRecords& records = table_.tls(slot)->records;
  size_t used = 0;
  while (is_reading(record.state)) {
    const TlsRecords::Opened opened = records.open(input.subspan(used), cipher_);
    used += opened.consumed;
    switch (opened.kind) {
      case TlsRecords::Kind::kNeedMore:
        return used;
      case TlsRecords::Kind::kData:
        consume(slot, opened.data);
        break;
      case TlsRecords::Kind::kNothing:
        break;
      case TlsRecords::Kind::kKeyUpdateWanted:
        answer_key_update(slot);
        break;
      case TlsRecords::Kind::kEnd:
        close(slot, CloseReason::kPeerClosed);
        break;
      case TlsRecords::Kind::kPeerAlert:
        close(slot, CloseReason::kPeerReset);
        break;
      case TlsRecords::Kind::kBad:
        refuse_record(slot, opened.alert);
        break;
    }
  }
  return used;
}

void SessionLoop::answer_key_update(uint32_t slot) {
  std::array<std::byte, TlsRecords::kKeyUpdateRecordBytes> answer{};
  TlsRecords& records = table_.tls(slot)->records;
  // What this turn has to say so far was said before.
  if (slot == turn_slot_) send_turn_output(slot);
  if (!is_reading(table_.hot(slot).state)) return;
  transmit_raw(slot, std::span(answer).first(records.write_key_update(answer.data(), cipher_)));
}

void SessionLoop::refuse_record(uint32_t slot, TlsAlert alert) {
  log::debug("bad TLS record", {{"alert", static_cast<int>(alert)},
                                {"peer", table_.cold(slot).peer.address().text()},
                                {"device", table_.cold(slot).peer.device_id()}});
  // Answers to what came before it go first, as they do on a plain connection.
  if (slot == turn_slot_) send_turn_output(slot);
  if (!is_reading(table_.hot(slot).state)) return;
  std::array<std::byte, TlsRecords::kAlertRecordBytesMax> told{};
  TlsRecords& records = table_.tls(slot)->records;
  const size_t bytes = records.seal_alert(alert, told.data(), cipher_);
  if (transmit_raw(slot, std::span(told).first(bytes))) close(slot, CloseReason::kTlsBadRecord);
}

// Frames as records, in the loop's buffer until the next call.
std::span<const std::byte> SessionLoop::seal(uint32_t slot, std::span<const std::byte> frames) {
  TlsRecords& records = table_.tls(slot)->records;
  const size_t bytes_max = records.sealed_bytes_max(frames.size());
  if (seal_buffer_.size() < bytes_max) seal_buffer_.resize(bytes_max);
  return {seal_buffer_.data(), records.seal(frames, seal_buffer_.data(), cipher_)};
}

// The same for a connection's last words, with close_notify behind them, unless the peer cannot
// hear it or was told of its fault. RFC 8446, 6.1, would have one for a peer that ended without its
// own too; but such a peer has mostly gone, and would answer by a reset.
std::span<const std::byte> SessionLoop::seal_last(uint32_t slot, CloseReason reason,
                                                  std::span<const std::byte> before,
                                                  std::span<const std::byte> goaway) {
  if (reason == CloseReason::kPeerReset || reason == CloseReason::kTlsBadRecord) return {};
  TlsRecords& records = table_.tls(slot)->records;
  if (reason == CloseReason::kPeerClosed && !records.has_ended() && before.empty()) return {};
  const size_t bytes_max = records.sealed_bytes_max(before.size()) +
                           records.sealed_bytes_max(goaway.size()) +
                           TlsRecords::kAlertRecordBytesMax;
  if (seal_buffer_.size() < bytes_max) seal_buffer_.resize(bytes_max);
  std::byte* end = seal_buffer_.data();
  end += records.seal(before, end, cipher_);
  end += records.seal(goaway, end, cipher_);
  end += records.seal_alert(TlsAlert::kCloseNotify, end, cipher_);
  return {seal_buffer_.data(), static_cast<size_t>(end - seal_buffer_.data())};
}

// Whether HELLO's device may come in with the certificate that its connection has shown.
bool SessionLoop::is_device_certified(uint32_t slot, std::string_view device_id) {
  const TlsConnection* const tls = table_.tls(slot);
  if (tls == nullptr || !tls->entry->facts.checks_device_id) return true;
  return std::ranges::find(tls->entry->facts.device_names, device_id) !=
         tls->entry->facts.device_names.end();
}

// What only the way in needed.
void SessionLoop::drop_tls_entry(uint32_t slot) {
  TlsConnection* const tls = table_.tls(slot);
  if (tls == nullptr) return;
  io_bytes_ -= tls->allocated_bytes();
  tls->entry.reset();
  io_bytes_ += tls->allocated_bytes();
}

}  // namespace holdfast
