#include "common/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace holdfast {
namespace {

// The value of rank ceil(fraction * count), at least the first.
uint64_t exact_percentile(const std::vector<uint64_t>& sorted, double fraction) {
  const double rank = std::ceil(fraction * static_cast<double>(sorted.size()));
  return sorted[static_cast<size_t>(std::max(rank, 1.0)) - 1];
}

TEST(Histogram, EmptyOneIsAllZero) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.mean(), 0);
  EXPECT_EQ(histogram.percentile(0.5), 0u);
}

TEST(Histogram, ValuesBelowSixtyFourAreExact) {
  for (uint64_t value = 0; value < 64; ++value) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(1'000'000);
    EXPECT_EQ(histogram.percentile(0.5), value);
  }
}

TEST(Histogram, NoValueIsTakenForOneMoreThanAThirtySecondAbove) {
  std::mt19937_64 random(2);
  std::vector<uint64_t> values = {64, 65, 127, 128, 1023, 1024, UINT64_MAX - 1};
  for (unsigned bit = 6; bit < 64; ++bit) {
    const uint64_t power = uint64_t{1} << bit;
    for (const uint64_t value : {power - 1, power, power + 1, power + random() % power}) {
      values.push_back(value);
    }
  }
  for (const uint64_t value : values) {
    Histogram histogram;
    histogram.record(value);
    histogram.record(UINT64_MAX);
    const uint64_t told = histogram.percentile(0.5);
    EXPECT_GE(told, value);
    EXPECT_LE(told - value, value / 32);
  }
}

TEST(Histogram, LargestValueThatThereIsFits) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.percentile(1), UINT64_MAX);
  EXPECT_EQ(histogram.max(), UINT64_MAX);
  EXPECT_EQ(histogram.min(), UINT64_MAX);
}

TEST(Histogram, PercentilesAgreeWithTheSortedValues) {
  std::mt19937_64 random(4);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(random() >> (random() % 60));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double fraction : {0.0, 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const uint64_t exact = exact_percentile(values, fraction);
    const uint64_t told = histogram.percentile(fraction);
    EXPECT_GE(told, exact) << fraction;
    EXPECT_LE(told - exact, exact / 32) << fraction;
  }
  EXPECT_EQ(histogram.percentile(1), values.back());
  EXPECT_EQ(histogram.min(), values.front());
}

TEST(Histogram, PercentileIsNeverAboveTheLargestValue) {
  Histogram histogram;
  histogram.record(1'000'001);
  EXPECT_EQ(histogram.percentile(0.5), 1'000'001u);
  EXPECT_EQ(histogram.percentile(-1), 1'000'001u);
  EXPECT_EQ(histogram.percentile(2), 1'000'001u);
}

TEST(Histogram, RecordManyCountsEachAndNoneNothing) {
  Histogram histogram;
  histogram.record_many(10, 99);
  histogram.record_many(50, 1);
  histogram.record_many(7'000, 0);
  EXPECT_EQ(histogram.count(), 100u);
  EXPECT_EQ(histogram.max(), 50u);
  EXPECT_EQ(histogram.percentile(0.99), 10u);
  EXPECT_EQ(histogram.percentile(0.991), 50u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 10.4);
}

TEST(Histogram, MergeIsAsIfAllHadBeenRecordedInOne) {
  std::mt19937_64 random(6);
  Histogram all;
  Histogram parts[3];
  for (int i = 0; i < 3000; ++i) {
    const uint64_t value = random() >> (random() % 60);
    all.record(value);
    parts[i % 3].record(value);
  }
  Histogram merged;
  merged.merge(Histogram{});
  for (const Histogram& part : parts) merged.merge(part);
  EXPECT_EQ(merged.count(), all.count());
  EXPECT_EQ(merged.min(), all.min());
  EXPECT_EQ(merged.max(), all.max());
  for (int percent = 0; percent <= 100; ++percent) {
    EXPECT_EQ(merged.percentile(percent / 100.0), all.percentile(percent / 100.0));
  }
}

TEST(Histogram, ClearForgetsAll) {
  Histogram histogram;
  histogram.record(5);
  histogram.clear();
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.percentile(1), 0u);
  histogram.record(9);
  EXPECT_EQ(histogram.min(), 9u);
}

}  // namespace
}  // namespace holdfast
