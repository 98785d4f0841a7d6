#include "common/clock.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(WrappingMs, ComparesMomentsAcrossItsWrap) {
  const WrappingMs before(UINT32_MAX - 9);
  const WrappingMs after = before.plus_ms(20);
  EXPECT_EQ(after.count(), 10u);
  EXPECT_EQ(before.ms_until(after), 20);
  EXPECT_EQ(after.ms_until(before), -20);
  EXPECT_TRUE(before.is_reached_at(after));
  EXPECT_FALSE(after.is_reached_at(before));
}

TEST(WrappingMs, MomentIsReachedAtItself) {
  const WrappingMs moment(5);
  EXPECT_TRUE(moment.is_reached_at(moment));
  EXPECT_EQ(moment.ms_until(moment), 0);
}

TEST(WrappingMs, ComparesMomentsUpToHalfTheRangeApart) {
  const WrappingMs moment(3'000'000'000);
  EXPECT_EQ(moment.ms_until(moment.plus_ms(INT32_MAX)), INT32_MAX);
  EXPECT_TRUE(moment.is_reached_at(moment.plus_ms(INT32_MAX)));
}

TEST(Clock, MonotonicTimeDoesNotGoBack) {
  uint64_t last_us = monotonic_us();
  for (int i = 0; i < 1000; ++i) {
    const uint64_t now_us = monotonic_us();
    ASSERT_GE(now_us, last_us);
    last_us = now_us;
  }
}

}  // namespace
}  // namespace holdfast
