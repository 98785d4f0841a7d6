#include "gateway/api/stats.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/gateway/api/node_fixture.h"

namespace holdfast {
namespace {

class Stats : public test::NodeFixture {};

TEST_F(Stats, SumsTheLoopsAndListsEach) {
  loops_[0].sessions.set(2);
  loops_[1].sessions.set(3);
  loops_[1].handshaking.set(1);
  loops_[0].heartbeats.set(10);
  loops_[1].heartbeats.set(1);
  loops_[1].lag_max_us.set(2500);
  const nlohmann::json stats = nlohmann::json::parse(stats_json(view_, true, 3500).dump());
  EXPECT_EQ(stats["node"], "n\"1");
  EXPECT_EQ(stats["uptime_s"], 2);
  EXPECT_EQ(stats["draining"], true);
  EXPECT_EQ(stats["sessions"], 5);
  EXPECT_EQ(stats["heartbeats"], 11);
  ASSERT_EQ(stats["loops"].size(), 2u);
  EXPECT_EQ(stats["loops"][1]["index"], 1);
  EXPECT_EQ(stats["loops"][1]["connections"], 4);
  EXPECT_EQ(stats["loops"][1]["lag_ms"], 2.5);
}

TEST_F(Stats, EveryReasonStandsFromTheStart) {
  loops_[1].closed[static_cast<size_t>(CloseReason::kKicked)].set(4);
  const nlohmann::json stats = nlohmann::json::parse(stats_json(view_, false, 1000).dump());
  EXPECT_EQ(stats["closed"].size(), kCloseReasons);
  EXPECT_EQ(stats["refused"].size(), kRefuseReasons);
  EXPECT_EQ(stats["closed"]["kicked"], 4);
  EXPECT_EQ(stats["closed"]["peer_closed"], 0);
}

}  // namespace
}  // namespace holdfast
