#include "tools/conn_flood/backoff.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace holdfast::flood {
namespace {

TEST(Backoff, DoublesFromItsBaseToItsCap) {
  EXPECT_EQ(backoff_limit_ms(0), 200u);
  EXPECT_EQ(backoff_limit_ms(1), 200u);
  EXPECT_EQ(backoff_limit_ms(2), 400u);
  EXPECT_EQ(backoff_limit_ms(5), 3200u);
  EXPECT_EQ(backoff_limit_ms(8), 25'600u);
  EXPECT_EQ(backoff_limit_ms(9), 30'000u);
}

TEST(Backoff, StaysAtItsCapForEver) {
  for (const uint32_t failures : {10u, 33u, 64u, 255u, UINT32_MAX}) {
    EXPECT_EQ(backoff_limit_ms(failures), kBackoffCapMs);
  }
}

TEST(Backoff, DrawsFromTheWholeRangeAndNotBeyond) {
  Random random(7);
  uint32_t lowest = UINT32_MAX;
  uint32_t highest = 0;
  for (int i = 0; i < 20'000; ++i) {
    const uint32_t wait_ms = draw_backoff_ms(1, random);
    lowest = std::min(lowest, wait_ms);
    highest = std::max(highest, wait_ms);
  }
  EXPECT_EQ(lowest, 0u);
  EXPECT_EQ(highest, 200u);
}

TEST(Random, SameSeedGivesTheSameNumbers) {
  Random one(42);
  Random other(42);
  Random third(43);
  EXPECT_EQ(one.next(), other.next());
  EXPECT_NE(one.next(), third.next());
}

TEST(Random, BelowZeroBoundIsZero) {
  Random random(1);
  EXPECT_EQ(random.below(0), 0u);
  EXPECT_EQ(random.below(1), 0u);
}

}  // namespace
}  // namespace holdfast::flood
