#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/check.h"
#include "common/clock.h"
#include "common/lru_list.h"

namespace holdfast {

// The wheel's part of a record: 8 bytes.
struct WheelLinks {
  uint32_t previous = kNoIndex;  // kNoIndex: not in the wheel
  uint32_t next = kNoIndex;
};

// Deadlines of many records, one each, on a single ring of slots. Arming, cancelling and firing
// cost a constant number of memory accesses and allocate nothing, since the links live in the
// records.
//
// A record fires at the first tick at or after its deadline: never early, and less than one tick
// late plus whatever the caller is late in calling advance(). Only a deadline beyond the ring's
// horizon (a tick for each slot but one) fires once each time the ring comes round; whoever arms such looks
// whether the moment has come and arms again, as those do anyway whose deadlines move while they
// are armed. So there are no levels to cascade, no tick costs more than what stands in its slot,
// and the wheel keeps no deadline: the record knows it. What stands in one slot fires in the order
// in which it was armed, which is nearly that of its deadlines: when a slot takes long, all in it
// are late alike.
//
// `Store` gives `WheelLinks& wheel_links(uint32_t index)`; indices are below 2^31.
// Thread: the owning loop only.
// Owns: 4 bytes a slot. A record must be cancelled before it is freed.
template <class Store>
class TimingWheel final {
 public:
  // `tick_ms` and `slot_count` are powers of two; slot_count >= 4.
  TimingWheel(Store& store, WrappingMs start, uint32_t tick_ms, uint32_t slot_count)
      : store_(store),
        tick_ms_(tick_ms),
        mask_(slot_count - 1),
        cursor_time_(start),
        lasts_(slot_count, kNoIndex) {
    HF_CHECK(tick_ms > 0 && (tick_ms & (tick_ms - 1)) == 0);
    HF_CHECK(slot_count >= 4 && (slot_count & mask_) == 0);
  }
  TimingWheel(const TimingWheel&) = delete;
  TimingWheel& operator=(const TimingWheel&) = delete;

  uint32_t size() const { return size_; }
  // The tick whose slot is firing, or fired last.
  WrappingMs tick_time() const { return cursor_time_; }
  bool is_armed(uint32_t index) const { return store_.wheel_links(index).previous != kNoIndex; }

  // The record must not be armed. A deadline that has passed fires at the next tick.
  void arm(uint32_t index, WrappingMs due) {
    HF_CHECK(!is_armed(index));
    link(index, slot_for(due));
    ++size_;
  }

  // Nothing happens if the record is not armed.
  void cancel(uint32_t index) {
    if (!is_armed(index)) return;
    unlink(index);
    --size_;
  }

  void rearm(uint32_t index, WrappingMs due) {
    cancel(index);
    arm(index, due);
  }

  // How long after `now` the next slot that holds anything fires: at least 1, and with nothing in the
  // slots of `ms_max` that long. Whoever calls advance() then, and not just at any time, keeps a
  // deadline's lateness below one tick, or below `ms_max` where it was armed meanwhile for less.
  uint32_t ms_until_tick(WrappingMs now, uint32_t ms_max) const {
    const uint32_t ticks_max = std::max(ms_max / tick_ms_, 1u);
    uint32_t ticks = 1;
    while (ticks < ticks_max && lasts_[(cursor_ + ticks) & mask_] == kNoIndex) ++ticks;
    const int32_t ms = now.ms_until(cursor_time_.plus_ms(ticks * tick_ms_));
    return static_cast<uint32_t>(std::max(ms, 1));
  }

  // Calls on_due(index) for records whose deadline is at or before `now` (or beyond the horizon),
  // slot by slot, for at most `entries_max` records. A record is out of the wheel when on_due sees
  // it; on_due may arm, cancel and rearm any record, itself included. Returns true when everything
  // due has fired, false when entries_max ran out: call again (with the same or a later `now`) for
  // the rest.
  template <class OnDue>
  [[nodiscard]] bool advance(WrappingMs now, size_t entries_max, OnDue&& on_due) {
    for (;;) {
      while (lasts_[cursor_] != kNoIndex) {
        if (entries_max-- == 0) return false;
        const uint32_t index = store_.wheel_links(lasts_[cursor_]).next;
        unlink(index);
        --size_;
        prefetch_second();
        on_due(index);
      }
      if (cursor_time_.ms_until(now) < static_cast<int32_t>(tick_ms_)) return true;
      cursor_time_ = cursor_time_.plus_ms(tick_ms_);
      cursor_ = (cursor_ + 1) & mask_;
    }
  }

 private:
  // A slot is a ring in the order of arming: the last record's `next` is the first, and the first
  // one's `previous` names the slot, so that unlinking needs no search.
  static constexpr uint32_t kFirstBit = 0x80000000;

  uint32_t slot_for(WrappingMs due) const {
    // Never the cursor's own slot: it may be firing right now, and would not end.
    const int32_t ms_ahead = std::max(cursor_time_.ms_until(due), 1);
    const uint32_t ticks_ahead = (static_cast<uint32_t>(ms_ahead) + tick_ms_ - 1) / tick_ms_;
    return (cursor_ + std::min(ticks_ahead, mask_)) & mask_;
  }

  // The next to fire is in the cache, since unlinking wrote to it; the one behind it is seldom.
  [[gnu::always_inline]] void prefetch_second() {
    if (lasts_[cursor_] == kNoIndex) return;
    const uint32_t first = store_.wheel_links(lasts_[cursor_]).next;
    __builtin_prefetch(&store_.wheel_links(store_.wheel_links(first).next), 1);
  }

  // Behind the last of its slot.
  void link(uint32_t index, uint32_t slot) {
    WheelLinks& links = store_.wheel_links(index);
    const uint32_t last = lasts_[slot];
    lasts_[slot] = index;
    if (last == kNoIndex) {
      links.previous = kFirstBit | slot;
      links.next = index;
      return;
    }
    WheelLinks& last_links = store_.wheel_links(last);
    links.previous = last;
    links.next = last_links.next;
    last_links.next = index;
  }

  void unlink(uint32_t index) {
    WheelLinks& links = store_.wheel_links(index);
    WheelLinks& next_links = store_.wheel_links(links.next);
    const bool is_first = (links.previous & kFirstBit) != 0;
    const bool is_last = (next_links.previous & kFirstBit) != 0;
    if (is_last) {
      lasts_[next_links.previous & ~kFirstBit] = is_first ? kNoIndex : links.previous;
    } else {
      next_links.previous = links.previous;
    }
    if (!is_first) {
      store_.wheel_links(links.previous).next = links.next;
    } else if (!is_last) {
      store_.wheel_links(lasts_[links.previous & ~kFirstBit]).next = links.next;
    }
    links.previous = kNoIndex;
    links.next = kNoIndex;
  }

  Store& store_;
  const uint32_t tick_ms_;
  const uint32_t mask_;
  WrappingMs cursor_time_;
  uint32_t cursor_ = 0;
  uint32_t size_ = 0;
  std::vector<uint32_t> lasts_;
};

}  // namespace holdfast
