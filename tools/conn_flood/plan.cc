#include "tools/conn_flood/plan.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "common/check.h"
#include "tools/conn_flood/random.h"

namespace holdfast::flood {
namespace {

constexpr size_t kIdBytes = 16;
constexpr size_t kIdDigitsMin = 8;

// Any number without a common divisor makes a permutation; one drawn at random spreads.
uint64_t draw_multiplier(uint64_t connections, Random& random) {
  uint64_t multiplier = 1 + random.next() % connections;
  while (std::gcd(multiplier, connections) != 1) ++multiplier;
  return multiplier;
}

}  // namespace

std::string_view to_text(Behaviour behaviour) {
  switch (behaviour) {
    case Behaviour::kSteady:
      return "steady";
    case Behaviour::kMute:
      return "mute";
    case Behaviour::kHalfFrame:
      return "half_frame";
    case Behaviour::kSlowReader:
      return "slow_reader";
    case Behaviour::kChurn:
      return "churn";
  }
  return "unknown";
}

Plan::Plan(const Options& options)
    : connections_(options.connections),
      rate_per_s_(options.rate_per_s),
      id_prefix_(options.id_prefix),
      id_digits_(id_prefix_.size() + kIdDigitsMin >= kIdBytes ? kIdDigitsMin
                                                              : kIdBytes - id_prefix_.size()) {
  HF_CHECK(connections_ > 0);
  Random random(options.seed);
  multiplier_ = draw_multiplier(connections_, random);
  offset_ = random.next() % connections_;

  uint32_t left = connections_;
  const auto take = [&](Behaviour behaviour, double share) {
    const auto wanted = static_cast<uint32_t>(std::llround(share * connections_));
    const uint32_t taken = std::min(wanted, left);  // rounding up several shares of 1 in sum
    counts_[static_cast<size_t>(behaviour)] = taken;
    left -= taken;
  };
  take(Behaviour::kMute, options.shares.mute);
  take(Behaviour::kHalfFrame, options.shares.half_frame);
  take(Behaviour::kSlowReader, options.shares.slow_reader);
  take(Behaviour::kChurn, options.shares.churn);
  counts_[static_cast<size_t>(Behaviour::kSteady)] = left;
}

Behaviour Plan::behaviour(uint32_t client) const {
  HF_CHECK(client < connections_);
  uint64_t place = (client * multiplier_ + offset_) % connections_;
  for (size_t i = 0; i < kBehaviourCount; ++i) {
    if (place < counts_[i]) return static_cast<Behaviour>(i);
    place -= counts_[i];
  }
  return Behaviour::kSteady;
}

uint64_t Plan::connect_at_us(uint32_t client) const {
  if (rate_per_s_ <= 0) return 0;
  return static_cast<uint64_t>(1e6 * client / rate_per_s_);
}

std::string Plan::device_id(uint32_t client) const {
  const std::string number = std::to_string(client);
  std::string id = id_prefix_;
  if (number.size() < id_digits_) id.append(id_digits_ - number.size(), '0');
  return id + number;
}

}  // namespace holdfast::flood
