#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace holdfast {

// Counts of values in buckets whose width is at most 1/32 of their value, exact below 64: an error
// of three in a hundred over the whole range of 64 bits, in 15 KiB. Merging adds counts. Thread:
// one writer; copy or merge on that thread.
class Histogram final {
 public:
  void record(uint64_t value) { record_many(value, 1); }
  void record_many(uint64_t value, uint64_t count);
  void merge(const Histogram& other);
  void clear();

  uint64_t count() const { return count_; }
  uint64_t max() const { return max_; }
  uint64_t min() const { return count_ == 0 ? 0 : min_; }
  double mean() const;
  // The value that `fraction` (0 to 1) of the recorded values do not exceed, rounded up to the top
  // of its bucket and never above max(). 0 when nothing was recorded.
  uint64_t percentile(double fraction) const;

 private:
  static constexpr unsigned kSubBucketBits = 5;
  static constexpr size_t kBuckets = size_t{64 - kSubBucketBits + 1} << kSubBucketBits;

  static size_t bucket_of(uint64_t value);
  static uint64_t bucket_top(size_t bucket);

  std::array<uint64_t, kBuckets> counts_{};
  uint64_t count_ = 0;
  uint64_t max_ = 0;
  uint64_t min_ = UINT64_MAX;
  double sum_ = 0;
};

}  // namespace holdfast
