#include "common/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace holdfast {

// Values below 2^(kSubBucketBits + 1) have a bucket each. Above, every power of two is cut into
// 2^kSubBucketBits buckets of equal width.
size_t Histogram::bucket_of(uint64_t value) {
  const auto width = static_cast<unsigned>(std::bit_width(value));
  if (width <= kSubBucketBits + 1) return static_cast<size_t>(value);
  const unsigned shift = width - kSubBucketBits - 1;
  return (size_t{shift} << kSubBucketBits) + static_cast<size_t>(value >> shift);
}

uint64_t Histogram::bucket_top(size_t bucket) {
  if (bucket < (size_t{1} << (kSubBucketBits + 1))) return bucket;
  const size_t shift = (bucket >> kSubBucketBits) - 1;
  const uint64_t base = static_cast<uint64_t>(bucket - (shift << kSubBucketBits)) << shift;
  return base + ((uint64_t{1} << shift) - 1);
}

void Histogram::record_many(uint64_t value, uint64_t count) {
  if (count == 0) return;
  counts_[bucket_of(value)] += count;
  count_ += count;
  max_ = std::max(max_, value);
  min_ = std::min(min_, value);
  sum_ += static_cast<double>(value) * static_cast<double>(count);
}

void Histogram::merge(const Histogram& other) {
  for (size_t i = 0; i < kBuckets; ++i) counts_[i] += other.counts_[i];
  count_ += other.count_;
  max_ = std::max(max_, other.max_);
  min_ = std::min(min_, other.min_);
  sum_ += other.sum_;
}

void Histogram::clear() { *this = Histogram{}; }

double Histogram::mean() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }

uint64_t Histogram::percentile(double fraction) const {
  if (count_ == 0) return 0;
  const double wanted = std::ceil(std::clamp(fraction, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<uint64_t>(1, static_cast<uint64_t>(wanted));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += counts_[i];
    if (seen >= rank) return std::min(bucket_top(i), max_);
  }
  return max_;
}

}  // namespace holdfast
