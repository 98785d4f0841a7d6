#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/address.h"
#include "common/token_bucket.h"
#include "gateway/net/close_reason.h"

namespace holdfast {

struct AdmissionLimits {
  uint32_t connections_max = 0;    // open at the same time; never 0
  bool is_max_chosen = false;      // by the operator, not by what the machine can hold
  bool sheds_when_full = false;    // make room for a newcomer rather than refuse it
  uint32_t per_address_max = 0;    // 0: off
  uint32_t rate_per_s = 0;         // 0: off
  uint32_t subnet_rate_per_s = 0;  // 0: off

  bool operator==(const AdmissionLimits&) const = default;
};

// Token buckets of subnets (a /24, a /64) in a table of fixed size. When a set of the table is full
// the subnet not heard of for the longest loses its place, and begins anew with a full bucket: a
// flood from very many subnets meets the total rate instead.
class SubnetRates final {
 public:
  [[nodiscard]] bool try_take(uint64_t subnet_key, uint32_t rate_per_s, uint64_t now_us);
  void clear() { buckets_.clear(); }

 private:
  static constexpr size_t kSets = 4096;
  static constexpr size_t kWays = 4;
  struct Entry {
    uint64_t key = 0;
    uint64_t used_us = 0;  // 0: empty
    TokenBucket bucket;
  };
  std::vector<Entry> buckets_;  // kSets x kWays once used
};

// Decides about a newcomer before any byte of it is read.
// Thread: the accept thread only. Time comes in from outside.
// Owns: counts per address (only while per_address_max is on) and token buckets.
// Limit: one count for each address that holds an open connection.
class Admission final {
 public:
  Admission(const AdmissionLimits& limits, uint64_t now_us);

  struct Verdict {
    std::optional<RefuseReason> refused;  // nothing: admitted
    bool needs_room = false;              // admitted, at the cost of the idlest session
  };

  struct Load {
    uint64_t connections = 0;  // open or on their way to a loop
    bool is_memory_full = false;
    bool is_draining = false;
  };

  // Checks everything that needs no address: what is full, the total rate.
  [[nodiscard]] Verdict admit(const Load& load, uint64_t now_us);
  // Checks what depends on the address and, when it passes, counts the connection to it until
  // release().
  [[nodiscard]] std::optional<RefuseReason> admit_address(const Address& peer, uint64_t now_us);
  // The same for a connection that a loop holds already, since its address came in a balancer's
  // header. Counted until release() whatever the answer: it lives until its loop has closed it.
  [[nodiscard]] std::optional<RefuseReason> admit_late(const Address& peer, uint8_t epoch,
                                                       uint64_t now_us);
  // `epoch`: address_epoch() when the connection was admitted. Others are not in the counts.
  void release(const Address& peer, uint8_t epoch);

  // Goes into AcceptedSocket; 0 while addresses are not counted.
  uint8_t address_epoch() const { return limits_.per_address_max > 0 ? epoch_ : 0; }
  const AdmissionLimits& limits() const { return limits_; }
  void set_limits(const AdmissionLimits& limits, uint64_t now_us);
  size_t addresses() const { return per_address_.size(); }

 private:
  struct HostHash {
    size_t operator()(const std::array<uint8_t, 16>& host) const;
  };

  bool is_over_subnet_rate(const Address& peer, uint64_t now_us);

  AdmissionLimits limits_;
  TokenBucket rate_;
  SubnetRates subnet_rates_;
  std::unordered_map<std::array<uint8_t, 16>, uint32_t, HostHash> per_address_;
  uint8_t epoch_ = 1;  // moves on when counting begins anew
};

}  // namespace holdfast
