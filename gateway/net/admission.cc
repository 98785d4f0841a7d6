#include "gateway/net/admission.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

namespace holdfast {
namespace {

// Peers choose their addresses (an IPv6 host has 2^64 of them), so the hash has a secret.
uint64_t hash_secret() {
  static const uint64_t secret = [] {
    uint64_t drawn = 0;
    if (getrandom(&drawn, sizeof drawn, 0) != sizeof drawn) drawn = 0x9E3779B97F4A7C15;
    return drawn;
  }();
  return secret;
}

uint64_t mix(uint64_t value) {
  value ^= hash_secret();
  value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9;
  value = (value ^ value >> 27) * 0x94D049BB133111EB;
  return value ^ value >> 31;
}

// A second's worth may come at once, since a balancer or a radio cell delivers in bunches.
double burst_for(uint32_t rate_per_s) { return std::max(1.0, static_cast<double>(rate_per_s)); }

}  // namespace

bool SubnetRates::try_take(uint64_t subnet_key, uint32_t rate_per_s, uint64_t now_us) {
  if (buckets_.empty()) buckets_.resize(kSets * kWays);
  Entry* const set = &buckets_[mix(subnet_key) % kSets * kWays];
  Entry* oldest = set;
  for (size_t way = 0; way < kWays; ++way) {
    Entry& entry = set[way];
    if (entry.used_us != 0 && entry.key == subnet_key) {
      entry.used_us = now_us;
      return entry.bucket.try_take(now_us);
    }
    if (entry.used_us < oldest->used_us) oldest = &entry;
  }
  const double rate = rate_per_s;
  *oldest = {subnet_key, now_us, TokenBucket(rate, burst_for(rate_per_s), now_us)};
  return oldest->bucket.try_take(now_us);
}

size_t Admission::HostHash::operator()(const std::array<uint8_t, 16>& host) const {
  uint64_t high = 0;
  uint64_t low = 0;
  std::memcpy(&high, host.data(), sizeof high);
  std::memcpy(&low, host.data() + sizeof high, sizeof low);
  return mix(mix(high) ^ low);
}

Admission::Admission(const AdmissionLimits& limits, uint64_t now_us)
    : limits_(limits), rate_(limits.rate_per_s, burst_for(limits.rate_per_s), now_us) {}

Admission::Verdict Admission::admit(const Load& load, uint64_t now_us) {
  if (load.is_draining) return {RefuseReason::kDraining};
  if (limits_.rate_per_s > 0 && !rate_.try_take(now_us)) return {RefuseReason::kAcceptRate};
  const bool is_full = load.connections >= limits_.connections_max;
  if (!is_full && !load.is_memory_full) return {};
  // Out of descriptors nothing is gained by shedding: whoever is shed comes back and sheds another.
  const bool may_shed = limits_.sheds_when_full && (!is_full || limits_.is_max_chosen);
  if (may_shed) return {.refused = std::nullopt, .needs_room = true};
  return {is_full ? RefuseReason::kConnectionsMax : RefuseReason::kMemoryMax};
}

bool Admission::is_over_subnet_rate(const Address& peer, uint64_t now_us) {
  return limits_.subnet_rate_per_s > 0 &&
         !subnet_rates_.try_take(peer.subnet_key(), limits_.subnet_rate_per_s, now_us);
}

std::optional<RefuseReason> Admission::admit_address(const Address& peer, uint64_t now_us) {
  if (is_over_subnet_rate(peer, now_us)) return RefuseReason::kSubnetRate;
  if (limits_.per_address_max == 0) return std::nullopt;
  uint32_t& count = per_address_[peer.bytes()];
  if (count >= limits_.per_address_max) return RefuseReason::kPerAddressMax;
  ++count;
  return std::nullopt;
}

std::optional<RefuseReason> Admission::admit_late(const Address& peer, uint8_t epoch,
                                                  uint64_t now_us) {
  const bool is_counted = epoch != 0 && epoch == address_epoch();
  const bool is_over_max = is_counted && ++per_address_[peer.bytes()] > limits_.per_address_max;
  if (is_over_subnet_rate(peer, now_us)) return RefuseReason::kSubnetRate;
  if (is_over_max) return RefuseReason::kPerAddressMax;
  return std::nullopt;
}

void Admission::release(const Address& peer, uint8_t epoch) {
  if (epoch == 0 || epoch != address_epoch()) return;
  const auto found = per_address_.find(peer.bytes());
  if (found == per_address_.end()) return;
  if (--found->second == 0) per_address_.erase(found);
}

void Admission::set_limits(const AdmissionLimits& limits, uint64_t now_us) {
  if (limits.rate_per_s != limits_.rate_per_s) {
    const bool was_off = limits_.rate_per_s == 0;
    const double rate = limits.rate_per_s;
    const double burst = burst_for(limits.rate_per_s);
    if (was_off) {
      rate_ = TokenBucket(rate, burst, now_us);
    } else {
      rate_.set_rate(rate, burst, now_us);
    }
  }
  if (limits.subnet_rate_per_s != limits_.subnet_rate_per_s) subnet_rates_.clear();
  const bool begins_counting = limits.per_address_max > 0 && limits_.per_address_max == 0;
  limits_ = limits;
  if (limits.per_address_max == 0) per_address_.clear();
  if (begins_counting && ++epoch_ == 0) epoch_ = 1;
}

}  // namespace holdfast
