#include "tools/conn_flood/plan.h"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "common/protocol/native.h"

namespace holdfast::flood {
namespace {

Options options_of(uint32_t connections, BehaviourShares shares = {}, uint64_t seed = 1) {
  Options options;
  options.connections = connections;
  options.shares = shares;
  options.seed = seed;
  return options;
}

std::array<uint32_t, kBehaviourCount> counted(const Plan& plan) {
  std::array<uint32_t, kBehaviourCount> counts{};
  for (uint32_t client = 0; client < plan.connections(); ++client) {
    ++counts[static_cast<size_t>(plan.behaviour(client))];
  }
  return counts;
}

TEST(Plan, SharesAreExactCounts) {
  for (const uint32_t connections : {1u, 2u, 7u, 10u, 999u, 5000u, 19'000u}) {
    for (const uint64_t seed : {0u, 1u, 2u, 77u}) {
      const Plan plan(options_of(connections, {0.2, 0.05, 0.01, 0.1}, seed));
      const auto counts = counted(plan);
      uint32_t sum = 0;
      for (size_t i = 0; i < kBehaviourCount; ++i) {
        EXPECT_EQ(counts[i], plan.count(static_cast<Behaviour>(i)));
        sum += counts[i];
      }
      EXPECT_EQ(sum, connections);
    }
  }
}

TEST(Plan, RoundsAShareToTheNearestClient) {
  EXPECT_EQ(Plan(options_of(5000, {0.2, 0, 0, 0})).count(Behaviour::kMute), 1000u);
  EXPECT_EQ(Plan(options_of(10, {0.1, 0, 0, 0})).count(Behaviour::kMute), 1u);
  EXPECT_EQ(Plan(options_of(10, {0.04, 0, 0, 0})).count(Behaviour::kMute), 0u);
  EXPECT_EQ(Plan(options_of(10, {0.05, 0, 0, 0})).count(Behaviour::kMute), 1u);
}

TEST(Plan, SharesThatRoundUpPastAllStopAtAll) {
  const Plan plan(options_of(3, {0.5, 0.5, 0, 0}));
  EXPECT_EQ(plan.count(Behaviour::kMute), 2u);
  EXPECT_EQ(plan.count(Behaviour::kHalfFrame), 1u);
  EXPECT_EQ(plan.count(Behaviour::kSteady), 0u);
}

TEST(Plan, AllMuteLeavesNobodySteady) {
  const Plan plan(options_of(100, {1, 0, 0, 0}));
  EXPECT_EQ(counted(plan)[static_cast<size_t>(Behaviour::kMute)], 100u);
}

TEST(Plan, SeedRepeatsAndVariesWhoItIs) {
  const Plan one(options_of(1000, {0.1, 0, 0, 0}, 5));
  const Plan same(options_of(1000, {0.1, 0, 0, 0}, 5));
  const Plan other(options_of(1000, {0.1, 0, 0, 0}, 6));
  int differences = 0;
  for (uint32_t client = 0; client < 1000; ++client) {
    EXPECT_EQ(one.behaviour(client), same.behaviour(client));
    if (one.behaviour(client) != other.behaviour(client)) ++differences;
  }
  EXPECT_GT(differences, 0);
}

TEST(Plan, ConnectsAtTheRate) {
  Options options = options_of(10'000);
  options.rate_per_s = 250;
  const Plan plan(options);
  EXPECT_EQ(plan.connect_at_us(0), 0u);
  EXPECT_EQ(plan.connect_at_us(1), 4000u);
  EXPECT_EQ(plan.connect_at_us(2500), 10'000'000u);
}

TEST(Plan, WithoutARateConnectsAtOnce) { EXPECT_EQ(Plan(options_of(10)).connect_at_us(9), 0u); }

TEST(Plan, DeviceIdsAreSixteenCharactersValidAndUnique) {
  const Plan plan(options_of(20'000));
  std::set<std::string> ids;
  for (uint32_t client = 0; client < plan.connections(); ++client) {
    const std::string id = plan.device_id(client);
    EXPECT_EQ(id.size(), 16u);
    EXPECT_TRUE(native::is_valid_device_id(id));
    ids.insert(id);
  }
  EXPECT_EQ(ids.size(), 20'000u);
  EXPECT_EQ(plan.device_id(17), "flood-0000000017");
}

TEST(Plan, LongPrefixKeepsEightDigits) {
  Options options = options_of(10);
  options.id_prefix = "a-rather-long-prefix-";
  EXPECT_EQ(Plan(options).device_id(3), "a-rather-long-prefix-00000003");
}

TEST(Plan, EverySourceMeetsEveryTargetEquallyOften) {
  const Plan plan(options_of(600));
  std::map<std::pair<size_t, size_t>, int> pairs;
  for (uint32_t client = 0; client < 600; ++client) {
    ++pairs[{plan.source_index(client, 10), plan.target_index(client, 10, 4)}];
  }
  EXPECT_EQ(pairs.size(), 40u);
  for (const auto& [pair, count] : pairs) EXPECT_EQ(count, 15);
}

TEST(Plan, WithoutSourcesTargetsAreTakenInTurn) {
  const Plan plan(options_of(4));
  EXPECT_EQ(plan.target_index(0, 0, 2), 0u);
  EXPECT_EQ(plan.target_index(1, 0, 2), 1u);
  EXPECT_EQ(plan.target_index(2, 0, 2), 0u);
}

}  // namespace
}  // namespace holdfast::flood
