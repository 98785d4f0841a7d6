#include "common/token_bucket.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr uint64_t kSecondUs = 1'000'000;

int take_all(TokenBucket& bucket, uint64_t now_us) {
  int taken = 0;
  while (bucket.try_take(now_us)) ++taken;
  return taken;
}

TEST(TokenBucket, DefaultOneLetsNothingThrough) {
  TokenBucket bucket;
  EXPECT_FALSE(bucket.try_take(kSecondUs));
}

TEST(TokenBucket, BeginsFullAndRefillsAtItsRate) {
  TokenBucket bucket(100, 10, 5 * kSecondUs);
  EXPECT_EQ(take_all(bucket, 5 * kSecondUs), 10);
  EXPECT_FALSE(bucket.try_take(5 * kSecondUs + 9'000));
  EXPECT_TRUE(bucket.try_take(5 * kSecondUs + 10'001));
  EXPECT_EQ(take_all(bucket, 5 * kSecondUs + 50'001), 4);
}

TEST(TokenBucket, SavesNoMoreThanItsBurst) {
  TokenBucket bucket(100, 10, 0);
  EXPECT_EQ(take_all(bucket, 0), 10);
  EXPECT_EQ(bucket.available(3600 * kSecondUs), 10u);
  EXPECT_EQ(take_all(bucket, 3600 * kSecondUs), 10);
}

TEST(TokenBucket, LetsItsRateThroughOverALongTime) {
  TokenBucket bucket(250, 5, 0);
  int taken = 0;
  for (uint64_t now_us = 0; now_us <= 100 * kSecondUs; now_us += 777)
    taken += bucket.try_take(now_us);
  EXPECT_NEAR(taken, 25'000 + 5, 2);
}

TEST(TokenBucket, ClockThatGoesBackGivesNothing) {
  TokenBucket bucket(100, 1, kSecondUs);
  EXPECT_TRUE(bucket.try_take(kSecondUs));
  EXPECT_FALSE(bucket.try_take(0));
  EXPECT_FALSE(bucket.try_take(kSecondUs));
  EXPECT_TRUE(bucket.try_take(kSecondUs + 10'001));
}

TEST(TokenBucket, NewRateHoldsFromNowOnAndKeepsWhatFitsTheNewBurst) {
  TokenBucket bucket(100, 10, 0);
  bucket.set_rate(1000, 4, 0);
  EXPECT_EQ(bucket.available(0), 4u);
  EXPECT_EQ(take_all(bucket, 0), 4);
  EXPECT_EQ(bucket.available(2'001), 2u);
  bucket.set_rate(1, 4, 2'001);
  EXPECT_EQ(bucket.available(2'001), 2u);
  EXPECT_EQ(bucket.available(3'001), 2u);
}

}  // namespace
}  // namespace holdfast
