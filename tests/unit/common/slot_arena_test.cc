#include "common/slot_arena.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

namespace holdfast {
namespace {

struct Hot {
  uint32_t generation = 0;
  uint32_t value = 0;
};
struct Cold {
  std::shared_ptr<int> owned;
};
using Arena = SlotArena<Hot, Cold>;
constexpr uint32_t kChunk = Arena::kChunkSlots;

// The bytes of one chunk.
size_t chunk_bytes() {
  Arena arena(1);
  EXPECT_EQ(arena.allocate(), 0u);
  return arena.allocated_bytes();
}

std::vector<uint32_t> allocate_many(Arena& arena, uint32_t count) {
  std::vector<uint32_t> indices;
  for (uint32_t i = 0; i < count; ++i) indices.push_back(arena.allocate());
  return indices;
}

TEST(SlotArena, OwnsNothingBeforeTheFirstRecord) {
  Arena arena(10);
  EXPECT_EQ(arena.allocated_bytes(), 0u);
  EXPECT_EQ(arena.end_index(), 0u);
  EXPECT_FALSE(arena.is_used(0));
  EXPECT_FALSE(arena.is_current(0, 0));
}

TEST(SlotArena, RefusesBeyondItsLimitUntilOneIsReleased) {
  Arena arena(2);
  EXPECT_EQ(arena.allocate(), 0u);
  EXPECT_EQ(arena.allocate(), 1u);
  EXPECT_EQ(arena.allocate(), Arena::kNone);
  EXPECT_EQ(arena.size(), 2u);
  arena.release(0);
  EXPECT_EQ(arena.allocate(), 0u);
  EXPECT_EQ(arena.allocate(), Arena::kNone);
}

TEST(SlotArena, HandsOutTheLowestFreeSlot) {
  Arena arena(5 * kChunk);
  allocate_many(arena, 3 * kChunk);
  for (const uint32_t index : {2 * kChunk + 5, 70u, kChunk, 7u}) arena.release(index);
  EXPECT_EQ(arena.allocate(), 7u);
  EXPECT_EQ(arena.allocate(), 70u);
  EXPECT_EQ(arena.allocate(), kChunk);
  EXPECT_EQ(arena.allocate(), 2 * kChunk + 5);
  EXPECT_EQ(arena.allocate(), 3 * kChunk);
}

TEST(SlotArena, GenerationTellsALaterOccupantFromAnEarlierOne) {
  Arena arena(4);
  const uint32_t index = arena.allocate();
  const uint32_t first = arena.hot(index).generation;
  EXPECT_NE(first, 0u);
  EXPECT_TRUE(arena.is_current(index, first));
  arena.release(index);
  EXPECT_FALSE(arena.is_current(index, first));
  EXPECT_FALSE(arena.is_current(index, 0));
  ASSERT_EQ(arena.allocate(), index);
  EXPECT_FALSE(arena.is_current(index, first));
  EXPECT_TRUE(arena.is_current(index, arena.hot(index).generation));
}

TEST(SlotArena, ReleaseDestroysTheRecordAndAllocateGivesAFreshOne) {
  Arena arena(4);
  const auto owned = std::make_shared<int>(1);
  const uint32_t index = arena.allocate();
  arena.hot(index).value = 9;
  arena.cold(index).owned = owned;
  EXPECT_EQ(owned.use_count(), 2);
  arena.release(index);
  EXPECT_EQ(owned.use_count(), 1);
  ASSERT_EQ(arena.allocate(), index);
  EXPECT_EQ(arena.hot(index).value, 0u);
  EXPECT_EQ(arena.cold(index).owned, nullptr);
}

TEST(SlotArena, RecordsDoNotMoveWhileOthersComeAndGo) {
  Arena arena(20 * kChunk);
  const uint32_t index = arena.allocate();
  const Hot* const place = &arena.hot(index);
  const std::vector<uint32_t> others = allocate_many(arena, 10 * kChunk);
  for (const uint32_t other : others) arena.release(other);
  EXPECT_EQ(&arena.hot(index), place);
}

TEST(SlotArena, EmptyChunksAreGivenBackButForOne) {
  Arena arena(10 * kChunk);
  const std::vector<uint32_t> indices = allocate_many(arena, 4 * kChunk);
  EXPECT_EQ(arena.allocated_bytes(), 4 * chunk_bytes());
  for (const uint32_t index : indices) arena.release(index);
  EXPECT_EQ(arena.size(), 0u);
  EXPECT_EQ(arena.allocated_bytes(), chunk_bytes());
  for (const uint32_t index : indices) EXPECT_FALSE(arena.is_used(index));
}

TEST(SlotArena, ChunkInReserveServesWhicheverIsWantedNext) {
  Arena arena(10 * kChunk);
  const std::vector<uint32_t> indices = allocate_many(arena, 3 * kChunk);
  for (auto index = indices.rbegin(); index != indices.rend(); ++index) arena.release(*index);
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(arena.allocate(), 0u);
    EXPECT_EQ(arena.allocated_bytes(), chunk_bytes());
    arena.release(0);
    EXPECT_EQ(arena.allocated_bytes(), chunk_bytes());
  }
}

TEST(SlotArena, RandomOperationsAgreeWithTheModel) {
  constexpr uint32_t kLimit = 6 * kChunk + 100;
  Arena arena(kLimit);
  std::map<uint32_t, uint32_t> generations;  // by index, of records in use
  std::set<uint32_t> free_indices;
  for (uint32_t index = 0; index < kLimit; ++index) free_indices.insert(index);
  std::set<uint32_t> given;
  std::mt19937 random(11);
  for (int step = 0; step < 60'000; ++step) {
    const bool is_growing = step / 10'000 % 2 == 0;
    if (random() % 10 < (is_growing ? 8 : 2)) {
      const uint32_t index = arena.allocate();
      if (free_indices.empty()) {
        ASSERT_EQ(index, Arena::kNone);
        continue;
      }
      ASSERT_EQ(index, *free_indices.begin());
      free_indices.erase(free_indices.begin());
      generations[index] = arena.hot(index).generation;
      ASSERT_TRUE(given.insert(generations[index]).second) << "a generation was given twice";
    } else if (!generations.empty()) {
      auto entry = generations.lower_bound(static_cast<uint32_t>(random() % kLimit));
      if (entry == generations.end()) entry = generations.begin();
      arena.release(entry->first);
      ASSERT_FALSE(arena.is_current(entry->first, entry->second));
      free_indices.insert(entry->first);
      generations.erase(entry);
    }
    ASSERT_EQ(arena.size(), generations.size());
  }
  for (uint32_t index = 0; index < arena.end_index(); ++index) {
    const auto entry = generations.find(index);
    ASSERT_EQ(arena.is_used(index), entry != generations.end());
    if (entry != generations.end()) {
      ASSERT_TRUE(arena.is_current(index, entry->second));
    }
  }
}

TEST(SlotArenaDeathTest, ReleasingAFreeSlotIsABug) {
  Arena arena(4);
  const uint32_t index = arena.allocate();
  arena.release(index);
  EXPECT_DEATH(arena.release(index), "check failed");
  EXPECT_DEATH(arena.release(12'345), "check failed");
}

}  // namespace
}  // namespace holdfast
