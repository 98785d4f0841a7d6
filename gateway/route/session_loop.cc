#include "gateway/route/session_loop.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace holdfast {
namespace {

// How long a loop without deadlines waits for its next look at everything else.
constexpr uint32_t kTickWaitMsMax = 64;
constexpr uint64_t kMeasureUs = 1'000'000;

// A bijection, so that different sessions never share an id.
uint64_t mix(uint64_t value) {
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

}  // namespace

SessionLoop::SessionLoop(LoopIndex index, Router& router, Mailbox<AcceptorMessage>& acceptor,
                         TlsHandshakeThreads& handshake_threads,
                         std::shared_ptr<const LoopSettings> settings, uint32_t slots_max,
                         uint64_t session_id_key)
    : index_(index),
      session_id_key_(session_id_key),
      router_(router),
      outbox_(index, router, acceptor, counters_.deferred),
      settings_(std::move(settings)),
      now_(wrapping_now()),
      table_(std::min(slots_max, SessionRef::kSlotsMax - 1), now_),
      load_(router.loop_load(index)),
      receive_buffer_(kReceiveBytes),
      desk_(index, handshake_threads),
      loop_(index, *this, router.loop_mailbox(index).wake_fd()) {}

SessionLoop::~SessionLoop() {
  for (uint32_t slot = 0; slot < table_.end_slot(); ++slot) {
    if (table_.is_used(slot)) ::close(table_.hot(slot).fd);
  }
}

void SessionLoop::on_started() { tick_planned_us_ = monotonic_us(); }

void SessionLoop::on_ready(std::span<const ConnectionPoller::Ready> batch) {
  constexpr uint32_t kTurnsPerClock = 32;
  turns_before_slice_ += batch.size();
  uint32_t turns = 0;
  const auto slot_of = [](const ConnectionPoller::Ready& ready) { return ready.slot; };
  table_.for_each_ahead(batch, slot_of, [this, &turns](const ConnectionPoller::Ready& ready) {
    if (turns++ % kTurnsPerClock == 0) now_ = wrapping_now();
    if (table_.is_current(ready.slot, ready.generation)) take_turn(ready.slot, ready.events);
  });
  free_retired();
  // Heartbeats change nothing of it but who is idlest, which the next tick tells.
  if (has_load_changed()) publish_load();
}

void SessionLoop::on_wake() {
  now_ = wrapping_now();
  router_.loop_mailbox(index_).drain(kMessagesPerRound, [this](LoopCommand&& command) {
    std::visit([this](auto&& one) { handle(std::move(one)); }, std::move(command));
  });
  end_round();
}

Milliseconds SessionLoop::on_tick() {
  measure_tick();
  desk_.let_go_of_stale();
  do_due_work();
  const Milliseconds wait{table_.wheel.ms_until_tick(wrapping_now(), kTickWaitMsMax)};
  tick_planned_us_ = monotonic_us() + static_cast<uint64_t>(wait.count()) * 1000;
  return wait;
}

void SessionLoop::on_rest() { do_due_work(); }

// A step of a handshake that waits: nobody else does.
bool SessionLoop::on_idle() {
  now_ = wrapping_now();
  do_kept_step();
  end_round();
  return desk_.has_kept();
}

void SessionLoop::do_due_work() {
  now_ = wrapping_now();
  input_now_.swap(input_waiting_);
  for (const SlotName& name : input_now_) {
    if (table_.is_current(name.slot, name.generation)) take_turn(name.slot, EPOLLIN | EPOLLRDHUP);
  }
  input_now_.clear();
  bool is_more_left = fire_wheel();
  is_more_left |= drain_some();
  is_more_left |= shed_for_memory();
  make_room_for_handshakes();
  outbox_.retry();
  end_round();
  if (is_more_left || !input_waiting_.empty()) loop_.run_rest_soon();
}

bool SessionLoop::fire_wheel() {
  const uint64_t slice_us =
      std::clamp(turns_before_slice_ * kTickSliceUsPerTurn, kTickSliceMinUs, kTickSliceMaxUs);
  turns_before_slice_ = 0;
  const uint64_t stop_us = monotonic_us() + slice_us;
  while (!table_.wheel.advance(now_, kWheelSlice, [this](uint32_t slot) { on_due(slot); })) {
    // Closing a descriptor is a good part of an eviction, so it belongs into the slice.
    free_retired();
    if (monotonic_us() >= stop_us) return true;
  }
  return false;
}

void SessionLoop::on_due(uint32_t slot) {
  HotRecord& record = table_.hot(slot);
  switch (due_action(record, table_.output_moved(slot), settings_->liveness, now_)) {
    case DueAction::kNothing:
      break;
    case DueAction::kSendPing:
      record.is_pinged = true;
      counters_.server_pings.add();
      schedule(slot);
      say(slot, Ping{});
      return;
    case DueAction::kEvict:
      return close(slot, CloseReason::kHeartbeatTimeout);
    case DueAction::kTlsTimeout:
      return on_handshake_overdue(slot);
    case DueAction::kHelloTimeout:
      return close(slot, CloseReason::kHelloTimeout);
    case DueAction::kWriteStall:
      return close(slot, CloseReason::kWriteStall);
    case DueAction::kEndLinger:
      return retire(slot);
  }
  schedule(slot);
}

// Puts the connection where it stands in the wheel: at the next moment that something may be due.
void SessionLoop::schedule(uint32_t slot) {
  const WrappingMs due = next_due(table_.hot(slot), table_.output_moved(slot), settings_->liveness);
  table_.wheel.rearm(slot, due);
}

bool SessionLoop::has_overdue_hello() {
  const uint32_t silent = table_.awaiting_hello.idlest();
  return silent != kNoSlot && table_.hot(silent).last_activity.ms_until(now_) >= kHelloGraceMs;
}

// Who makes room: who has not said HELLO in a second goes before any session, so a flood of the
// silent cannot push devices out.
uint32_t SessionLoop::next_to_shed() {
  const uint32_t idlest = table_.sessions.idlest();
  return has_overdue_hello() || idlest == kNoSlot ? table_.awaiting_hello.idlest() : idlest;
}

bool SessionLoop::shed_one() {
  const uint32_t victim = next_to_shed();
  if (victim == kNoSlot) return false;
  close(victim, CloseReason::kShedIdle);
  return true;
}

bool SessionLoop::shed_for_memory() {
  constexpr int kShedSlice = 64;
  const uint64_t max = settings_->memory_bytes_max;
  if (max == 0 || !settings_->sheds_when_full) return false;
  for (int i = 0; i < kShedSlice; ++i) {
    load_.memory_bytes.set(memory_bytes());
    if (router_.memory_bytes() <= max || !shed_one()) return false;
    free_retired();
  }
  return true;
}

// Sends devices away at the drain's rate, the idlest first.
bool SessionLoop::drain_some() {
  constexpr uint64_t kDrainSlice = 64;
  if (!is_draining_) return false;
  const uint64_t now_us = monotonic_us();
  uint64_t closed = 0;
  while (table_.sessions.idlest() != kNoSlot && closed < kDrainSlice &&
         drain_rate_.try_take(now_us)) {
    close(table_.sessions.idlest(), CloseReason::kDraining, drain_window_ms_);
    ++closed;
  }
  return closed == kDrainSlice;
}

void SessionLoop::end_round() {
  free_retired();
  publish_load();
}

bool SessionLoop::has_load_changed() const {
  return memory_bytes() != load_.memory_bytes.value() ||
         table_.sessions.size() != counters_.sessions.value() ||
         table_.awaiting_hello.size() != counters_.handshaking.value();
}

void SessionLoop::publish_load() {
  counters_.sessions.set(table_.sessions.size());
  counters_.handshaking.set(table_.awaiting_hello.size());
  counters_.tls_connections.set(table_.tls_size());
  counters_.tls_handshaking.set(desk_.begun());
  counters_.tls_waiting.set(desk_.waiting());
  load_.memory_bytes.set(memory_bytes());
  load_.idlest_ms.set(idlest_ms());
}

uint64_t SessionLoop::idlest_ms() {
  const uint32_t victim = next_to_shed();
  if (victim == kNoSlot) return 0;
  const int32_t silent_ms = std::max(0, table_.hot(victim).last_activity.ms_until(now_));
  return 1 + static_cast<uint64_t>(silent_ms) +
         (has_overdue_hello() ? LoopLoad::kOverdueHelloMs : 0);
}

void SessionLoop::measure_tick() {
  const uint64_t now_us = monotonic_us();
  lag_max_us_ = std::max(lag_max_us_, now_us - std::min(now_us, tick_planned_us_));
  if (now_us - measured_us_ < kMeasureUs) return;
  measured_us_ = now_us;
  counters_.lag_max_us.set(std::exchange(lag_max_us_, 0));
  counters_.cpu_us.set(thread_cpu_us());
}

SessionRef SessionLoop::ref_of(uint32_t slot) {
  return {index_, slot, table_.hot(slot).generation};
}

uint64_t SessionLoop::session_id_of(uint32_t slot) {
  return mix(ref_of(slot).packed() ^ session_id_key_);
}

uint64_t SessionLoop::memory_bytes() const {
  return table_.used_bytes() + io_bytes_ + identity_bytes_;
}

}  // namespace holdfast
