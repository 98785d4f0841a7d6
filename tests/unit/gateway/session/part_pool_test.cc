#include "gateway/session/part_pool.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <vector>

#include "gateway/session/connection_io.h"

namespace holdfast {
namespace {

TEST(PartPool, GivesEachTakerItsOwn) {
  PartPool<ConnectionIo> pool;
  std::set<uint32_t> indices;
  for (int i = 0; i < 1000; ++i) indices.insert(pool.take());
  EXPECT_EQ(indices.size(), 1000u);
  EXPECT_EQ(pool.size(), 1000u);
  EXPECT_FALSE(indices.contains(PartPool<ConnectionIo>::kNone));
}

TEST(PartPool, WhatIsTakenDoesNotMoveWhileOthersComeAndGo) {
  PartPool<ConnectionIo> pool;
  const uint32_t kept = pool.take();
  ConnectionIo* const place = &pool.at(kept);
  std::vector<uint32_t> others;
  for (int i = 0; i < 10'000; ++i) others.push_back(pool.take());
  for (const uint32_t index : others) pool.give_back(index);
  EXPECT_EQ(&pool.at(kept), place);
  EXPECT_EQ(pool.size(), 1u);
}

TEST(PartPool, ANextTakerFindsNothingOfTheLast) {
  PartPool<ConnectionIo> pool;
  const uint32_t other = pool.take();
  const uint32_t first = pool.take();
  pool.at(first).output.append(std::array{std::byte{1}, std::byte{2}});
  pool.give_back(first);
  const uint32_t second = pool.take();
  EXPECT_EQ(second, first);
  EXPECT_NE(second, other);
  EXPECT_TRUE(pool.at(second).is_empty());
}

TEST(PartPool, BeginsAnewWhenAllWereGivenBack) {
  PartPool<ConnectionIo> pool;
  std::vector<uint32_t> indices;
  for (int i = 0; i < 100; ++i) indices.push_back(pool.take());
  for (const uint32_t index : indices) pool.give_back(index);
  EXPECT_EQ(pool.size(), 0u);
  EXPECT_EQ(pool.take(), 0u);
}

TEST(PartPoolDeathTest, GivingBackTwiceIsABug) {
  PartPool<ConnectionIo> pool;
  const uint32_t index = pool.take();
  const uint32_t other = pool.take();
  pool.give_back(index);
  EXPECT_DEATH(pool.give_back(index), "check failed");
  pool.give_back(other);
}

}  // namespace
}  // namespace holdfast
