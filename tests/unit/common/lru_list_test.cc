#include "common/lru_list.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <random>
#include <vector>

namespace holdfast {
namespace {

struct Store {
  explicit Store(size_t count) : links(count) {}
  LruLinks& lru_links(uint32_t index) { return links.at(index); }
  std::vector<LruLinks> links;
};

using Indices = std::vector<uint32_t>;

// Front to back, then the same through the backward links, which must agree.
Indices contents(const LruList<Store>& list, Store& store) {
  Indices forward;
  for (uint32_t index = list.idlest(); index != kNoIndex; index = list.after(index)) {
    forward.push_back(index);
  }
  Indices backward;
  for (uint32_t index = list.newest(); index != kNoIndex; index = store.lru_links(index).previous) {
    backward.push_back(index);
  }
  std::reverse(backward.begin(), backward.end());
  EXPECT_EQ(forward, backward);
  EXPECT_EQ(forward.size(), list.size());
  EXPECT_EQ(forward.empty(), list.is_empty());
  return forward;
}

TEST(LruList, EmptyListHasNeitherEnd) {
  Store store(1);
  LruList list(store);
  EXPECT_EQ(list.idlest(), kNoIndex);
  EXPECT_EQ(list.newest(), kNoIndex);
  EXPECT_EQ(contents(list, store), Indices{});
}

TEST(LruList, PushedLastStandsNewest) {
  Store store(3);
  LruList list(store);
  for (const uint32_t index : {2u, 0u, 1u}) list.push_newest(index);
  EXPECT_EQ(contents(list, store), (Indices{2, 0, 1}));
}

TEST(LruList, TouchMovesToTheNewestEndFromAnywhere) {
  Store store(3);
  LruList list(store);
  for (const uint32_t index : {0u, 1u, 2u}) list.push_newest(index);
  list.touch(2);
  EXPECT_EQ(contents(list, store), (Indices{0, 1, 2}));
  list.touch(0);
  EXPECT_EQ(contents(list, store), (Indices{1, 2, 0}));
  list.touch(2);
  EXPECT_EQ(contents(list, store), (Indices{1, 0, 2}));
}

TEST(LruList, RemovedRecordCanBePushedAgain) {
  Store store(2);
  LruList list(store);
  list.push_newest(0);
  list.push_newest(1);
  list.remove(0);
  list.remove(1);
  EXPECT_EQ(contents(list, store), Indices{});
  list.push_newest(1);
  EXPECT_EQ(contents(list, store), Indices{1});
}

TEST(LruList, RandomOperationsAgreeWithTheModel) {
  constexpr uint32_t kRecords = 60;
  Store store(kRecords);
  LruList list(store);
  std::list<uint32_t> model;
  std::mt19937 random(5);
  for (int step = 0; step < 20'000; ++step) {
    const auto index = static_cast<uint32_t>(random() % kRecords);
    const auto place = std::find(model.begin(), model.end(), index);
    if (place == model.end()) {
      list.push_newest(index);
      model.push_back(index);
    } else if (random() % 2 == 0) {
      list.touch(index);
      model.splice(model.end(), model, place);
    } else {
      list.remove(index);
      model.erase(place);
    }
    ASSERT_EQ(contents(list, store), Indices(model.begin(), model.end())) << "step " << step;
  }
}

TEST(LruListDeathTest, RemovingWhatIsNotInTheListIsABug) {
  Store store(3);
  LruList list(store);
  EXPECT_DEATH(list.remove(0), "check failed");
  list.push_newest(1);
  list.push_newest(2);
  EXPECT_DEATH(list.remove(0), "check failed");
}

}  // namespace
}  // namespace holdfast
