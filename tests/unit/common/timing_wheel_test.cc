#include "common/timing_wheel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <vector>

namespace holdfast {
namespace {

constexpr uint32_t kTickMs = 64;
constexpr uint32_t kSlots = 16;
constexpr uint32_t kHorizonMs = kTickMs * kSlots;
constexpr size_t kUnbounded = SIZE_MAX;

struct Store {
  explicit Store(size_t count) : links(count) {}
  WheelLinks& wheel_links(uint32_t index) { return links.at(index); }
  std::vector<WheelLinks> links;
};

// The wheel with an owner that knows the deadlines, and puts back what fires before its own since
// it lies beyond the horizon.
class OwnedWheel {
 public:
  OwnedWheel(Store& store, WrappingMs start)
      : wheel_(store, start, kTickMs, kSlots), due_(store.links.size()) {}

  void arm(uint32_t index, WrappingMs due) {
    due_.at(index) = due;
    wheel_.arm(index, due);
  }
  void rearm(uint32_t index, WrappingMs due) {
    due_.at(index) = due;
    wheel_.rearm(index, due);
  }
  void cancel(uint32_t index) { wheel_.cancel(index); }
  bool is_armed(uint32_t index) const { return wheel_.is_armed(index); }
  uint32_t size() const { return wheel_.size(); }
  uint32_t ms_until_tick(WrappingMs now, uint32_t ms_max) const {
    return wheel_.ms_until_tick(now, ms_max);
  }
  int put_back() const { return put_back_; }

  template <class OnDue>
  bool advance(WrappingMs now, size_t entries_max, OnDue&& on_due) {
    return wheel_.advance(now, entries_max, [&](uint32_t index) {
      if (due_[index].is_reached_at(wheel_.tick_time())) return on_due(index);
      ++put_back_;
      wheel_.arm(index, due_[index]);
    });
  }

 private:
  TimingWheel<Store> wheel_;
  std::vector<WrappingMs> due_;
  int put_back_ = 0;
};

// A wheel over `count` records that writes down what fires, and the time it fired at.
class WheelFixture {
 public:
  explicit WheelFixture(size_t count = 64, WrappingMs start = WrappingMs(1'000'000))
      : store(count), wheel(store, start), now(start) {}

  std::vector<uint32_t> advance_to(WrappingMs later, size_t entries_max = kUnbounded) {
    now = later;
    std::vector<uint32_t> fired;
    is_done = wheel.advance(now, entries_max, [&](uint32_t index) {
      EXPECT_FALSE(wheel.is_armed(index));
      fired.push_back(index);
      if (on_due) on_due(index);
    });
    return fired;
  }
  std::vector<uint32_t> advance_by(uint32_t ms, size_t entries_max = kUnbounded) {
    return advance_to(now.plus_ms(ms), entries_max);
  }

  Store store;
  OwnedWheel wheel;
  WrappingMs now;
  bool is_done = false;
  std::function<void(uint32_t)> on_due;
};

using Indices = std::vector<uint32_t>;

Indices sorted(Indices indices) {
  std::sort(indices.begin(), indices.end());
  return indices;
}

TEST(TimingWheel, ASlotFiresInTheOrderOfArming) {
  WheelFixture f;
  for (const uint32_t index : {7u, 3u, 9u, 1u, 5u}) f.wheel.arm(index, f.now.plus_ms(kTickMs));
  for (const uint32_t index : {7u, 9u, 5u}) f.wheel.cancel(index);
  f.wheel.arm(9, f.now.plus_ms(kTickMs));
  EXPECT_EQ(f.advance_by(kTickMs), (Indices{3, 1, 9}));
}

TEST(TimingWheel, WaitsForTheNextSlotThatHoldsAnything) {
  WheelFixture f;
  constexpr uint32_t kWaitMsMax = 4 * kTickMs;
  EXPECT_EQ(f.wheel.ms_until_tick(f.now, kWaitMsMax), kWaitMsMax);
  f.wheel.arm(1, f.now.plus_ms(3 * kTickMs));
  EXPECT_EQ(f.wheel.ms_until_tick(f.now, kWaitMsMax), 3 * kTickMs);
  EXPECT_EQ(f.wheel.ms_until_tick(f.now.plus_ms(5), kWaitMsMax), 3 * kTickMs - 5);
  f.wheel.arm(2, f.now.plus_ms(1));
  EXPECT_EQ(f.wheel.ms_until_tick(f.now, kWaitMsMax), kTickMs);
  EXPECT_EQ(f.wheel.ms_until_tick(f.now.plus_ms(kTickMs), kWaitMsMax), 1u);
}

TEST(TimingWheel, FiresNothingWhenNothingIsArmed) {
  WheelFixture f;
  EXPECT_EQ(f.advance_by(10 * kHorizonMs), Indices{});
  EXPECT_TRUE(f.is_done);
}

TEST(TimingWheel, FiresAtTheFirstTickAtOrAfterTheDeadline) {
  for (uint32_t ahead_ms = 0; ahead_ms <= 3 * kHorizonMs; ahead_ms += 7) {
    WheelFixture f;
    const WrappingMs due = f.now.plus_ms(ahead_ms);
    f.wheel.arm(3, due);
    uint32_t waited_ms = 0;
    while (f.advance_by(1).empty()) {
      ++waited_ms;
      ASSERT_LE(waited_ms, ahead_ms + kTickMs);
    }
    ++waited_ms;
    ASSERT_TRUE(due.is_reached_at(f.now)) << ahead_ms;
    ASSERT_LT(waited_ms, std::max(ahead_ms, 1u) + kTickMs) << ahead_ms;
    ASSERT_EQ(f.wheel.size(), 0u);
  }
}

TEST(TimingWheel, DeadlineInThePastFiresAtTheNextTick) {
  WheelFixture f;
  f.wheel.arm(1, WrappingMs(f.now.count() - 5000));
  EXPECT_EQ(f.advance_by(kTickMs - 1), Indices{});
  EXPECT_EQ(f.advance_by(1), Indices{1});
}

TEST(TimingWheel, DeadlineBeyondTheHorizonComesUpOnceARoundToBePutBack) {
  WheelFixture f;
  const uint32_t ahead_ms = 5 * kHorizonMs + kTickMs;
  f.wheel.arm(1, f.now.plus_ms(ahead_ms));
  EXPECT_EQ(f.advance_by(ahead_ms - 1), Indices{});
  EXPECT_TRUE(f.wheel.is_armed(1));
  EXPECT_EQ(f.wheel.put_back(), 5);
  EXPECT_EQ(f.advance_by(1), Indices{1});
  EXPECT_EQ(f.advance_by(10 * kHorizonMs), Indices{});
}

TEST(TimingWheel, CancelledRecordDoesNotFire) {
  WheelFixture f;
  for (uint32_t index = 0; index < 5; ++index) f.wheel.arm(index, f.now.plus_ms(100));
  f.wheel.cancel(4);  // the first of its slot
  f.wheel.cancel(2);  // the middle
  f.wheel.cancel(0);  // the last
  f.wheel.cancel(0);  // again: nothing happens
  EXPECT_EQ(f.wheel.size(), 2u);
  EXPECT_EQ(sorted(f.advance_by(kHorizonMs)), (Indices{1, 3}));
}

TEST(TimingWheel, RearmMovesTheDeadlineBothWays) {
  WheelFixture f;
  f.wheel.arm(1, f.now.plus_ms(100));
  f.wheel.arm(2, f.now.plus_ms(900));
  f.wheel.rearm(1, f.now.plus_ms(900));
  f.wheel.rearm(2, f.now.plus_ms(100));
  f.wheel.rearm(3, f.now.plus_ms(100));  // was not armed
  EXPECT_EQ(sorted(f.advance_by(200)), (Indices{2, 3}));
  EXPECT_EQ(f.advance_by(800), Indices{1});
}

TEST(TimingWheel, RearmOfItselfInsideFiringFiresAgainLaterAndNotNow) {
  WheelFixture f;
  f.on_due = [&](uint32_t index) { f.wheel.arm(index, f.now); };  // due at once: the next tick
  f.wheel.arm(1, f.now.plus_ms(kTickMs));
  EXPECT_EQ(f.advance_by(kTickMs), Indices{1});
  EXPECT_EQ(f.advance_by(0), Indices{});
  EXPECT_EQ(f.advance_by(kTickMs), Indices{1});
  // Three ticks at once: due at the last of them, then armed behind it.
  EXPECT_EQ(f.advance_by(3 * kTickMs), (Indices{1, 1}));
}

TEST(TimingWheel, CancelInsideCallbackDoesNotFire) {
  WheelFixture f;
  for (uint32_t index = 0; index < 6; ++index) f.wheel.arm(index, f.now.plus_ms(kTickMs));
  f.on_due = [&](uint32_t) {
    for (uint32_t index = 0; index < 6; ++index) f.wheel.cancel(index);
  };
  EXPECT_EQ(f.advance_by(kTickMs).size(), 1u);
  EXPECT_EQ(f.wheel.size(), 0u);
  EXPECT_EQ(f.advance_by(kHorizonMs), Indices{});
}

TEST(TimingWheel, RearmOfOthersInsideCallbackMovesThem) {
  WheelFixture f;
  for (uint32_t index = 0; index < 4; ++index) f.wheel.arm(index, f.now.plus_ms(kTickMs));
  const WrappingMs moved = f.now.plus_ms(5 * kTickMs);
  f.on_due = [&](uint32_t) {
    for (uint32_t index = 0; index < 4; ++index) {
      if (f.wheel.is_armed(index)) f.wheel.rearm(index, moved);
    }
    f.on_due = nullptr;
  };
  EXPECT_EQ(f.advance_by(4 * kTickMs).size(), 1u);
  EXPECT_EQ(f.advance_by(kTickMs).size(), 3u);
}

TEST(TimingWheel, ArmOfTheSlotJustPassedInsideCallbackWaitsItsWholeRound) {
  WheelFixture f;
  f.on_due = [&](uint32_t index) {
    if (index == 1) f.wheel.arm(2, f.now.plus_ms(kHorizonMs));
  };
  f.wheel.arm(1, f.now.plus_ms(kTickMs));
  EXPECT_EQ(f.advance_by(kTickMs), Indices{1});
  EXPECT_EQ(f.advance_by(kHorizonMs - 1), Indices{});
  EXPECT_EQ(f.advance_by(1), Indices{2});
}

TEST(TimingWheel, BoundedAdvanceTouchesNoMoreAndResumes) {
  WheelFixture f;
  for (uint32_t index = 0; index < 50; ++index) f.wheel.arm(index, f.now.plus_ms(kTickMs));
  std::set<uint32_t> seen;
  const WrappingMs later = f.now.plus_ms(4 * kTickMs);
  for (int round = 0; round < 5; ++round) {
    EXPECT_FALSE(round > 0 && f.is_done);
    const Indices fired = f.advance_to(later, 10);
    EXPECT_EQ(fired.size(), 10u);
    seen.insert(fired.begin(), fired.end());
  }
  EXPECT_EQ(seen.size(), 50u);
  EXPECT_TRUE(f.is_done);
  EXPECT_EQ(f.advance_to(later, 10), Indices{});
  EXPECT_TRUE(f.is_done);
}

TEST(TimingWheel, BoundedAdvanceCountsRecordsThatOnlyGoRoundOnceMore) {
  WheelFixture f;
  for (uint32_t index = 0; index < 30; ++index) f.wheel.arm(index, f.now.plus_ms(3 * kHorizonMs));
  const WrappingMs later = f.now.plus_ms(kHorizonMs);
  EXPECT_EQ(f.advance_to(later, 20), Indices{});
  EXPECT_FALSE(f.is_done);
  EXPECT_EQ(f.advance_to(later, 20), Indices{});
  EXPECT_TRUE(f.is_done);
  EXPECT_EQ(f.advance_by(2 * kHorizonMs).size(), 30u);
}

TEST(TimingWheel, AdvanceWithNoRoomForEntriesPassesEmptySlots) {
  WheelFixture f;
  f.wheel.arm(1, f.now.plus_ms(4 * kTickMs));
  EXPECT_EQ(f.advance_by(4 * kTickMs, 0), Indices{});
  EXPECT_FALSE(f.is_done);
  EXPECT_EQ(f.advance_by(0, 1), Indices{1});
}

TEST(TimingWheel, RecordArmedBetweenTwoBoundedSlicesFires) {
  WheelFixture f;
  for (uint32_t index = 0; index < 4; ++index) f.wheel.arm(index, f.now.plus_ms(kTickMs));
  const WrappingMs later = f.now.plus_ms(8 * kTickMs);
  EXPECT_EQ(f.advance_to(later, 2).size(), 2u);
  f.wheel.arm(9, later);  // the wheel stands seven ticks behind
  Indices rest = f.advance_to(later, kUnbounded);
  EXPECT_EQ(rest.size(), 3u);
  EXPECT_EQ(rest.back(), 9u);
}

TEST(TimingWheel, ClockThatStandsOrGoesBackFiresNothing) {
  WheelFixture f;
  f.wheel.arm(1, f.now.plus_ms(kTickMs));
  EXPECT_EQ(f.advance_by(0), Indices{});
  EXPECT_EQ(f.advance_to(WrappingMs(f.now.count() - 100'000)), Indices{});
  EXPECT_TRUE(f.is_done);
  EXPECT_EQ(f.advance_by(100'000 + kTickMs), Indices{1});
}

TEST(TimingWheelDeathTest, ArmingTwiceIsABug) {
  WheelFixture f;
  f.wheel.arm(1, f.now.plus_ms(5));
  EXPECT_DEATH(f.wheel.arm(1, f.now.plus_ms(5)), "check failed");
}

// The wheel against a multimap of the ticks at which records must fire, over time that jumps by
// anything from nothing to several rounds, with records that arm and cancel themselves and others
// while they fire. Times are milliseconds since the start, in 64 bits: the model never wraps.
class WheelModel {
 public:
  WheelModel(uint32_t seed, WrappingMs start)
      : random_(seed), start_(start), store_(kRecords), wheel_(store_, start) {}

  void run(int steps) {
    for (int step = 0; step < steps; ++step) {
      for (int i = 0; i < 20; ++i) change_one();
      elapsed_ms_ += random_below(4) == 0 ? random_below(3 * kHorizonMs) : random_below(kTickMs);
      ASSERT_NO_FATAL_FAILURE(advance());
      ASSERT_EQ(wheel_.size(), expected_.size());
    }
  }

  int fired_count() const { return fired_count_; }
  uint64_t elapsed_ms() const { return elapsed_ms_; }

 private:
  static constexpr uint32_t kRecords = 300;

  uint32_t random_below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }

  WrappingMs moment(uint64_t elapsed_ms) const {
    return start_.plus_ms(static_cast<uint32_t>(elapsed_ms));
  }

  uint64_t random_deadline_ms() {
    switch (random_below(4)) {
      case 0:
        return elapsed_ms_ + random_below(kTickMs);
      case 1:
        return elapsed_ms_ + random_below(20 * kHorizonMs);
      case 2:
        return elapsed_ms_ - std::min<uint64_t>(elapsed_ms_, random_below(5000));
      default:
        return elapsed_ms_ + random_below(kHorizonMs);
    }
  }

  // The first tick at or after the deadline, but after the tick that fires now or fired last.
  uint64_t fire_tick_of(uint64_t deadline_ms) const {
    return std::max((deadline_ms + kTickMs - 1) / kTickMs, tick_ + 1);
  }

  void forget(uint32_t index) {
    const auto entry = std::find_if(expected_.begin(), expected_.end(),
                                    [index](const auto& one) { return one.second == index; });
    ASSERT_EQ(wheel_.is_armed(index), entry != expected_.end());
    if (entry != expected_.end()) expected_.erase(entry);
  }

  void change_one() {
    const uint32_t index = random_below(kRecords);
    ASSERT_NO_FATAL_FAILURE(forget(index));
    if (random_below(3) == 0) {
      wheel_.cancel(index);
      return;
    }
    const uint64_t deadline_ms = random_deadline_ms();
    wheel_.rearm(index, moment(deadline_ms));
    expected_.emplace(fire_tick_of(deadline_ms), index);
  }

  void on_due(uint32_t index) {
    ++fired_count_;
    ASSERT_FALSE(expected_.empty());
    const uint64_t first_tick = expected_.begin()->first;
    const auto [from, to] = expected_.equal_range(first_tick);
    const auto entry =
        std::find_if(from, to, [index](const auto& one) { return one.second == index; });
    ASSERT_NE(entry, to) << "record " << index << " fired out of turn";
    ASSERT_LE(first_tick * kTickMs, elapsed_ms_) << "record " << index << " fired early";
    expected_.erase(entry);
    tick_ = first_tick;
    if (random_below(3) == 0) change_one();
  }

  void advance() {
    const auto fire = [this](uint32_t index) { on_due(index); };
    while (!wheel_.advance(moment(elapsed_ms_), 1 + random_below(50), fire)) {
      ASSERT_FALSE(testing::Test::HasFatalFailure());
    }
    tick_ = elapsed_ms_ / kTickMs;
    ASSERT_TRUE(expected_.empty() || expected_.begin()->first > tick_) << "a record did not fire";
  }

  std::mt19937 random_;
  const WrappingMs start_;
  uint64_t elapsed_ms_ = 0;
  uint64_t tick_ = 0;  // the one that fires now or fired last
  Store store_;
  OwnedWheel wheel_;
  std::multimap<uint64_t, uint32_t> expected_;
  int fired_count_ = 0;
};

TEST(TimingWheel, RandomOperationsAgreeWithTheModel) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    WheelModel model(seed, WrappingMs(seed * 1'000'003));
    ASSERT_NO_FATAL_FAILURE(model.run(1000)) << "seed " << seed;
    EXPECT_GT(model.fired_count(), 1000);
  }
}

TEST(TimingWheel, RandomOperationsAgreeWithTheModelWhereTheClockWraps) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    WheelModel model(seed, WrappingMs(UINT32_MAX - 100'000 * seed));
    ASSERT_NO_FATAL_FAILURE(model.run(2000)) << "seed " << seed;
    EXPECT_GT(model.elapsed_ms(), 100'000 * seed) << "the clock did not wrap";
  }
}

}  // namespace
}  // namespace holdfast
