#include "common/spsc_ring.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>

namespace holdfast {
namespace {

TEST(SpscRing, GivesItemsInTheirOrder) {
  SpscRing<int> ring(4);
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(ring.try_push(10 * round + i));
    for (int i = 0; i < 3; ++i) {
      int item = -1;
      EXPECT_TRUE(ring.try_pop(item));
      EXPECT_EQ(item, 10 * round + i);
    }
  }
}

TEST(SpscRing, EmptyRingGivesNothingAndLeavesTheTargetAlone) {
  SpscRing<int> ring(2);
  int item = 7;
  EXPECT_FALSE(ring.try_pop(item));
  EXPECT_EQ(item, 7);
}

TEST(SpscRing, FullRingRefusesAndLeavesTheItemUntouched) {
  SpscRing<std::unique_ptr<int>> ring(2);
  EXPECT_TRUE(ring.try_push(std::make_unique<int>(1)));
  EXPECT_TRUE(ring.try_push(std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(ring.try_push(std::move(third)));
  ASSERT_NE(third, nullptr);  // NOLINT(bugprone-use-after-move): that is what is promised
  std::unique_ptr<int> item;
  EXPECT_TRUE(ring.try_pop(item));
  EXPECT_EQ(*item, 1);
  EXPECT_TRUE(ring.try_push(std::move(third)));
  EXPECT_EQ(third, nullptr);
}

TEST(SpscRing, FreeSlotsFollowPushesAndPops) {
  SpscRing<int> ring(8);
  EXPECT_EQ(ring.capacity(), 8u);
  EXPECT_EQ(ring.free_slots(), 8u);
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(ring.try_push(int{i}));
  EXPECT_EQ(ring.free_slots(), 0u);
  int item = 0;
  EXPECT_TRUE(ring.try_pop(item));
  EXPECT_EQ(ring.free_slots(), 1u);
}

TEST(SpscRing, PoppedSlotKeepsNoReference) {
  SpscRing<std::shared_ptr<int>> ring(4);
  const auto shared = std::make_shared<int>(1);
  EXPECT_TRUE(ring.try_push(std::shared_ptr<int>(shared)));
  std::shared_ptr<int> item;
  EXPECT_TRUE(ring.try_pop(item));
  item.reset();
  EXPECT_EQ(shared.use_count(), 1);
}

TEST(SpscRing, TwoThreadsLoseAndReorderNothing) {
  constexpr uint64_t kItems = 300'000;
  SpscRing<std::unique_ptr<uint64_t>> ring(64);
  std::thread pusher([&ring] {
    for (uint64_t i = 0; i < kItems; ++i) {
      auto item = std::make_unique<uint64_t>(i);
      while (!ring.try_push(std::move(item))) std::this_thread::yield();
    }
  });
  uint64_t wrong = 0;
  for (uint64_t i = 0; i < kItems; ++i) {
    std::unique_ptr<uint64_t> item;
    while (!ring.try_pop(item)) std::this_thread::yield();
    if (*item != i) ++wrong;
  }
  pusher.join();
  EXPECT_EQ(wrong, 0u);
  std::unique_ptr<uint64_t> none;
  EXPECT_FALSE(ring.try_pop(none));
}

TEST(SpscRing, PusherFillsWhatFreeSlotsPromised) {
  constexpr uint64_t kItems = 100'000;
  SpscRing<uint64_t> ring(16);
  uint64_t refused = 0;
  std::thread pusher([&] {
    for (uint64_t sent = 0; sent < kItems;) {
      for (size_t room = ring.free_slots(); room > 0 && sent < kItems; --room) {
        if (!ring.try_push(uint64_t{sent++})) ++refused;
      }
      std::this_thread::yield();
    }
  });
  uint64_t sum = 0;
  for (uint64_t got = 0; got < kItems;) {
    uint64_t item = 0;
    if (ring.try_pop(item)) {
      sum += item;
      ++got;
    } else {
      std::this_thread::yield();
    }
  }
  pusher.join();
  EXPECT_EQ(refused, 0u);
  EXPECT_EQ(sum, kItems * (kItems - 1) / 2);
}

TEST(SpscRingDeathTest, CapacityIsAPowerOfTwo) {
  EXPECT_DEATH(SpscRing<int>(3), "check failed");
  EXPECT_DEATH(SpscRing<int>(1), "check failed");
}

}  // namespace
}  // namespace holdfast
