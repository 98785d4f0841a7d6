#include "gateway/route/directory.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace holdfast {
namespace {

SessionRef session(uint32_t number) { return {LoopIndex{1}, number & 0xFFFF, number + 1}; }

TEST(Directory, FindsWhatWasClaimed) {
  Directory directory;
  EXPECT_FALSE(directory.find("d1"));
  EXPECT_FALSE(directory.claim("d1", session(1)));
  EXPECT_EQ(directory.find("d1"), session(1));
  EXPECT_EQ(directory.size(), 1u);
}

TEST(Directory, ANewerClaimReturnsTheOlderSession) {
  Directory directory;
  EXPECT_FALSE(directory.claim("d1", session(1)));
  EXPECT_EQ(directory.claim("d1", session(2)), session(1));
  EXPECT_EQ(directory.find("d1"), session(2));
  EXPECT_EQ(directory.size(), 1u);
}

TEST(Directory, AnOlderSessionsReleaseChangesNothing) {
  Directory directory;
  EXPECT_FALSE(directory.claim("d1", session(1)));
  EXPECT_TRUE(directory.claim("d1", session(2)));
  directory.release("d1", session(1));
  EXPECT_EQ(directory.find("d1"), session(2));
  directory.release("d1", session(2));
  EXPECT_FALSE(directory.find("d1"));
  EXPECT_EQ(directory.size(), 0u);
}

TEST(Directory, AgreesWithAMapOverRandomOperations) {
  Directory directory;
  std::map<std::string, SessionRef> model;
  std::mt19937 random(7);
  for (uint32_t step = 0; step < 200'000; ++step) {
    // Few devices for long, then many: shards fill, grow, empty and shrink.
    const uint32_t devices = step / 50'000 % 2 == 0 ? 20'000 : 500;
    const std::string id = "device-" + std::to_string(random() % devices);
    const auto known = model.find(id);
    if (random() % 3 != 0) {
      const auto older = directory.claim(id, session(step));
      ASSERT_EQ(older.has_value(), known != model.end());
      if (older) {
        ASSERT_EQ(*older, known->second);
      }
      model[id] = session(step);
    } else if (known != model.end()) {
      directory.release(id, known->second);
      model.erase(known);
    }
    ASSERT_EQ(directory.size(), model.size());
  }
  for (const auto& [id, ref] : model) ASSERT_EQ(directory.find(id), ref);
  for (const auto& [id, ref] : model) directory.release(id, ref);
  EXPECT_EQ(directory.size(), 0u);
}

TEST(Directory, ThreadsThatClaimTheSameDeviceLeaveOneOwner) {
  constexpr uint32_t kThreads = 4;
  constexpr uint32_t kClaims = 5'000;
  Directory directory;
  std::atomic<uint32_t> replaced{0};
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint32_t i = 0; i < kClaims; ++i) {
        if (directory.claim("same", session(thread * kClaims + i))) ++replaced;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  // Every claim but the first replaced exactly one: none was lost, none was told twice.
  EXPECT_EQ(replaced.load(), kThreads * kClaims - 1);
  EXPECT_EQ(directory.size(), 1u);
}

}  // namespace
}  // namespace holdfast
