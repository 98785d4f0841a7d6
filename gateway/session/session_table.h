#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "common/lru_list.h"
#include "common/slot_arena.h"
#include "common/timing_wheel.h"
#include "gateway/session/connection_io.h"
#include "gateway/session/liveness.h"
#include "gateway/session/part_pool.h"
#include "gateway/session/session_record.h"
#include "gateway/session/tls_connection.h"

namespace holdfast {

// One loop's connections, with the wheel and the two lists that run through their records.
// Thread: the owning loop only.
// Limit: `slots_max` connections.
class SessionTable final {
 private:
  using Arena = SlotArena<HotRecord, ColdRecord>;
  struct Links {
    Arena& arena;
    WheelLinks& wheel_links(uint32_t slot) { return arena.hot(slot).wheel; }
    LruLinks& lru_links(uint32_t slot) { return arena.hot(slot).lru; }
  };

 public:
  static constexpr uint32_t kNone = Arena::kNone;
  static constexpr uint32_t kChunkSlots = Arena::kChunkSlots;
  static constexpr size_t kPageBytes = Arena::kPageBytes;
  static constexpr size_t kBytesBesideChunk = Arena::kBytesBesideChunk;
  // Deadlines are met within this, far below the 100 ms that are promised: a loop that has thousands
  // to evict at once needs the rest. 2^15 ticks are 8.7 minutes; a longer heartbeat goes round the
  // wheel more than once.
  static constexpr uint32_t kTickMs = 16;
  static constexpr uint32_t kWheelSlots = 1u << 15;

  SessionTable(uint32_t slots_max, WrappingMs now)
      : arena_(slots_max),
        links_{arena_},
        wheel(links_, now, kTickMs, kWheelSlots),
        sessions(links_),
        awaiting_hello(links_) {}

  [[nodiscard]] uint32_t allocate() { return arena_.allocate(); }
  void release(uint32_t slot) {
    drop_io(slot);
    if (hot(slot).has_tls) tls_.give_back(cold(slot).part);
    arena_.release(slot);
  }
  bool is_current(uint32_t slot, uint32_t generation) const {
    return arena_.is_current(slot, generation);
  }
  bool is_used(uint32_t slot) const { return arena_.is_used(slot); }
  HotRecord& hot(uint32_t slot) { return arena_.hot(slot); }
  const HotRecord& hot(uint32_t slot) const { return arena_.hot(slot); }
  ColdRecord& cold(uint32_t slot) { return arena_.cold(slot); }
  const ColdRecord& cold(uint32_t slot) const { return arena_.cold(slot); }
  // The connection's buffers, or null while it needs none.
  ConnectionIo* io(uint32_t slot) { return hot(slot).has_io ? &ios_.at(io_index(slot)) : nullptr; }
  ConnectionIo& make_io(uint32_t slot) {
    if (!hot(slot).has_io) io_index(slot) = ios_.take();
    hot(slot).has_io = true;
    return ios_.at(io_index(slot));
  }
  void drop_io(uint32_t slot) {
    if (!hot(slot).has_io) return;
    hot(slot).has_io = false;
    ios_.give_back(std::exchange(io_index(slot), kNoIndex));
  }
  // What the connection needs for TLS, or null when it is plain.
  TlsConnection* tls(uint32_t slot) {
    return hot(slot).has_tls ? &tls_.at(cold(slot).part) : nullptr;
  }
  TlsConnection& make_tls(uint32_t slot) {
    HF_CHECK(!hot(slot).has_tls);
    const uint32_t index = tls_.take();
    tls_.at(index).io = std::exchange(cold(slot).part, index);
    hot(slot).has_tls = true;
    return tls_.at(index);
  }
  size_t tls_size() const { return tls_.size(); }
  OutputMoved output_moved(uint32_t slot) {
    const ConnectionIo* const owned = io(slot);
    if (owned == nullptr || owned->output.is_empty()) return std::nullopt;
    return owned->output_moved;
  }
  // A complete frame came from this session. At most once a second that makes it the newest of
  // `sessions`.
  void note_activity(uint32_t slot, WrappingMs now) {
    constexpr uint32_t kTouchMs = 1000;
    HotRecord& record = hot(slot);
    const bool is_new_second = record.last_activity.count() / kTouchMs != now.count() / kTouchMs;
    record.last_activity = now;
    if (is_new_second) sessions.touch(slot);
  }

  // Calls handle(item) for each of a batch; slot_of(item) may be any slot. Of a million records
  // hardly one is in the cache when its event comes, and a batch tells which come next: their
  // records are asked for first and, once those have arrived, their neighbours in the list, which
  // note_activity() writes to.
  template <class Batch, class SlotOf, class Handle>
  void for_each_ahead(const Batch& batch, SlotOf&& slot_of, Handle&& handle) {
    const size_t count = batch.size();
    for (size_t i = 0; i < std::min(count, kRecordsAhead); ++i) prefetch(slot_of(batch[i]));
    for (size_t i = 0; i < std::min(count, kNeighboursAhead); ++i) {
      prefetch_neighbours(slot_of(batch[i]));
    }
    for (size_t i = 0; i < count; ++i) {
      if (i + kRecordsAhead < count) prefetch(slot_of(batch[i + kRecordsAhead]));
      if (i + kNeighboursAhead < count) prefetch_neighbours(slot_of(batch[i + kNeighboursAhead]));
      handle(batch[i]);
    }
  }

  uint32_t size() const { return arena_.size(); }
  uint32_t end_slot() const { return arena_.end_index(); }
  // What the connections take, not what the arena holds in chunks: it falls with every one that
  // goes.
  size_t used_bytes() const { return arena_.size() * (sizeof(HotRecord) + sizeof(ColdRecord)); }

 private:
  static constexpr size_t kRecordsAhead = 32;
  static constexpr size_t kNeighboursAhead = 12;

  // Always inlined, as is what it calls: GCC takes a function that only prefetches for one without
  // effect, and drops its calls.
  [[gnu::always_inline]] void prefetch(uint32_t slot) const { arena_.prefetch_hot(slot); }
  [[gnu::always_inline]] void prefetch_neighbours(uint32_t slot) const {
    if (!arena_.is_in_memory(slot)) return;
    const LruLinks& lru = hot(slot).lru;
    prefetch(lru.previous);
    prefetch(lru.next);
  }

  // Where the index of its ConnectionIo stands.
  uint32_t& io_index(uint32_t slot) {
    ColdRecord& record = cold(slot);
    return hot(slot).has_tls ? tls_.at(record.part).io : record.part;
  }

  Arena arena_;
  PartPool<ConnectionIo> ios_;
  PartPool<TlsConnection> tls_;
  Links links_;

 public:
  TimingWheel<Links> wheel;
  LruList<Links> sessions;        // authenticated, idlest first
  LruList<Links> awaiting_hello;  // oldest first
};

}  // namespace holdfast
