#include "tools/conn_flood/tally.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string_view>

namespace holdfast::flood {
namespace {

TEST(Tally, EveryCountHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kCountCount; ++i) names.insert(to_text(static_cast<Count>(i)));
  EXPECT_EQ(names.size(), kCountCount);
  EXPECT_EQ(to_text(Count::kConnectsStarted), "connects_started");
  EXPECT_EQ(to_text(Count::kPongsUnexpected), "pongs_unexpected");
  EXPECT_EQ(to_text(Count::kNotStarted), "not_started");
  EXPECT_EQ(to_text(Fate::kLost), "lost");
  EXPECT_EQ(to_text(Refusal::kProtocolError), "protocol_error");
  EXPECT_EQ(to_text(Refusal::kTls), "tls");
  EXPECT_EQ(to_text(LossCause::kProtocolError), "protocol_error");
}

TEST(Tally, GoawayCodesKeepTheirNames) {
  EXPECT_EQ(goaway_kind_text(goaway_kind(GoawayCode::kGoodbye)), "0");
  EXPECT_EQ(goaway_kind_text(goaway_kind(GoawayCode::kProtocolError)), "4000");
  EXPECT_EQ(goaway_kind_text(goaway_kind(GoawayCode::kHeartbeatTimeout)), "4003");
  EXPECT_EQ(goaway_kind_text(goaway_kind(GoawayCode::kRateLimited)), "4011");
  EXPECT_EQ(goaway_kind_text(goaway_kind(static_cast<GoawayCode>(4012))), "other");
  EXPECT_EQ(goaway_kind_text(goaway_kind(static_cast<GoawayCode>(1))), "other");
}

TEST(Tally, TotalsAddUpAllWorkers) {
  Totals totals;
  CountTable<Counter> one;
  CountTable<Counter> other;
  one[Count::kPings].add(3);
  other[Count::kPings].add();
  one.fate(Behaviour::kMute, Fate::kEvicted).add(2);
  other.fate(Behaviour::kHalfFrame, Fate::kEvicted).add(5);
  one[TlsCount::kResumed].add(4);
  other[TlsCount::kResumed].add(5);
  other.tls_alerts[116].add();
  add(totals, one);
  add(totals, other);
  EXPECT_EQ(totals[Count::kPings], 4u);
  EXPECT_EQ(totals.fate(Behaviour::kMute, Fate::kEvicted), 2u);
  EXPECT_EQ(total_of(totals, Fate::kEvicted), 7u);
  EXPECT_EQ(total_of(totals, Fate::kLost), 0u);
  EXPECT_EQ(totals[TlsCount::kResumed], 9u);
  EXPECT_EQ(totals.tls_alerts[116], 1u);
}

TEST(LiveLatency, BucketsAreInOrderAndHoldTheirTops) {
  for (size_t bucket = 0; bucket < LiveLatency::kBuckets; ++bucket) {
    const uint64_t top = LiveLatency::bucket_top(bucket);
    EXPECT_EQ(LiveLatency::bucket_of(top), bucket);
    if (bucket + 1 < LiveLatency::kBuckets) {
      EXPECT_EQ(LiveLatency::bucket_of(top + 1), bucket + 1);
    }
  }
  EXPECT_EQ(LiveLatency::bucket_top(LiveLatency::kBuckets - 1), UINT32_MAX);
  EXPECT_EQ(LiveLatency::bucket_of(UINT64_MAX), LiveLatency::kBuckets - 1);
}

TEST(LiveLatency, PercentileIsOfWhatCameBetweenTwoLooks) {
  const auto latency = std::make_unique<LiveLatency>();
  for (int i = 0; i < 1000; ++i) latency->record(1'000'000);
  LiveLatency::Snapshot before{};
  latency->add_to(before);
  EXPECT_EQ(LiveLatency::percentile(before, before, 0.5), 0u);

  for (int i = 0; i < 99; ++i) latency->record(10);
  latency->record(30);
  LiveLatency::Snapshot now{};
  latency->add_to(now);
  EXPECT_EQ(LiveLatency::percentile(before, now, 0.5), 10u);
  EXPECT_EQ(LiveLatency::percentile(before, now, 0.99), 10u);
  EXPECT_EQ(LiveLatency::percentile(before, now, 1.0), 30u);
}

}  // namespace
}  // namespace holdfast::flood
