#include "gateway/net/admission.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

constexpr uint64_t kStartUs = 1'000'000;
constexpr uint64_t kSecondUs = 1'000'000;

Address v4(uint8_t a, uint8_t b, uint8_t c, uint8_t d) {
  return Address::from_ipv4({a, b, c, d}, 4000);
}

AdmissionLimits roomy() {
  AdmissionLimits limits;
  limits.connections_max = 100;
  return limits;
}

Admission::Load with_connections(uint64_t connections) { return {connections, false, false}; }

TEST(Admission, AdmitsBelowTheMaximum) {
  Admission admission(roomy(), kStartUs);
  const auto verdict = admission.admit(with_connections(99), kStartUs);
  EXPECT_FALSE(verdict.refused);
  EXPECT_FALSE(verdict.needs_room);
}

TEST(Admission, RefusesAtTheMaximumWhenToldTo) {
  Admission admission(roomy(), kStartUs);
  EXPECT_EQ(admission.admit(with_connections(100), kStartUs).refused,
            RefuseReason::kConnectionsMax);
}

TEST(Admission, ShedsAtAMaximumThatTheOperatorChose) {
  AdmissionLimits limits = roomy();
  limits.sheds_when_full = true;
  limits.is_max_chosen = true;
  Admission admission(limits, kStartUs);
  const auto verdict = admission.admit(with_connections(100), kStartUs);
  EXPECT_FALSE(verdict.refused);
  EXPECT_TRUE(verdict.needs_room);
}

TEST(Admission, RefusesRatherThanShedsWhenTheMachineSetTheMaximum) {
  AdmissionLimits limits = roomy();
  limits.sheds_when_full = true;
  Admission admission(limits, kStartUs);
  EXPECT_EQ(admission.admit(with_connections(100), kStartUs).refused,
            RefuseReason::kConnectionsMax);
}

TEST(Admission, MemoryFullShedsOrRefuses) {
  AdmissionLimits limits = roomy();
  const Admission::Load full{10, true, false};
  Admission refusing(limits, kStartUs);
  EXPECT_EQ(refusing.admit(full, kStartUs).refused, RefuseReason::kMemoryMax);
  limits.sheds_when_full = true;
  Admission shedding(limits, kStartUs);
  EXPECT_TRUE(shedding.admit(full, kStartUs).needs_room);
}

TEST(Admission, DrainingComesFirst) {
  Admission admission(roomy(), kStartUs);
  EXPECT_EQ(admission.admit({0, true, true}, kStartUs).refused, RefuseReason::kDraining);
}

TEST(Admission, RateLetsASecondsWorthThroughAtOnceAndThenThePace) {
  AdmissionLimits limits = roomy();
  limits.rate_per_s = 10;
  Admission admission(limits, kStartUs);
  for (int i = 0; i < 10; ++i) {
    EXPECT_FALSE(admission.admit(with_connections(0), kStartUs).refused) << i;
  }
  EXPECT_EQ(admission.admit(with_connections(0), kStartUs).refused, RefuseReason::kAcceptRate);
  EXPECT_FALSE(admission.admit(with_connections(0), kStartUs + kSecondUs / 10).refused);
  EXPECT_TRUE(admission.admit(with_connections(0), kStartUs + kSecondUs / 10).refused);
}

TEST(Admission, SubnetRateHoldsNeighboursTogetherAndOthersApart) {
  AdmissionLimits limits = roomy();
  limits.subnet_rate_per_s = 2;
  Admission admission(limits, kStartUs);
  EXPECT_FALSE(admission.admit_address(v4(10, 0, 0, 1), kStartUs));
  EXPECT_FALSE(admission.admit_address(v4(10, 0, 0, 2), kStartUs));
  EXPECT_EQ(admission.admit_address(v4(10, 0, 0, 3), kStartUs), RefuseReason::kSubnetRate);
  EXPECT_FALSE(admission.admit_address(v4(10, 0, 1, 3), kStartUs));
  EXPECT_FALSE(admission.admit_address(v4(10, 0, 0, 3), kStartUs + kSecondUs / 2));
}

TEST(Admission, SubnetRateStillLimitsAfterFarMoreSubnetsThanItsTableHolds) {
  AdmissionLimits limits = roomy();
  limits.subnet_rate_per_s = 1;
  Admission admission(limits, kStartUs);
  for (uint32_t i = 0; i < 100'000; ++i) {
    const auto octet = [i](unsigned shift) { return static_cast<uint8_t>(i >> shift); };
    (void)admission.admit_address(v4(octet(16), octet(8), octet(0), 1), kStartUs + i);
  }
  const uint64_t later_us = kStartUs + 200'000;
  EXPECT_FALSE(admission.admit_address(v4(200, 1, 1, 1), later_us));
  EXPECT_EQ(admission.admit_address(v4(200, 1, 1, 2), later_us), RefuseReason::kSubnetRate);
}

TEST(Admission, PerAddressCountsUntilReleased) {
  AdmissionLimits limits = roomy();
  limits.per_address_max = 2;
  Admission admission(limits, kStartUs);
  const uint8_t epoch = admission.address_epoch();
  const Address peer = v4(10, 0, 0, 1);
  EXPECT_FALSE(admission.admit_address(peer, kStartUs));
  EXPECT_FALSE(admission.admit_address(peer.with_port(9), kStartUs));
  EXPECT_EQ(admission.admit_address(peer, kStartUs), RefuseReason::kPerAddressMax);
  EXPECT_FALSE(admission.admit_address(v4(10, 0, 0, 2), kStartUs));
  admission.release(peer, epoch);
  EXPECT_FALSE(admission.admit_address(peer, kStartUs));
}

TEST(Admission, ForgetsAnAddressWithItsLastConnection) {
  AdmissionLimits limits = roomy();
  limits.per_address_max = 2;
  Admission admission(limits, kStartUs);
  ASSERT_FALSE(admission.admit_address(v4(10, 0, 0, 1), kStartUs));
  EXPECT_EQ(admission.addresses(), 1u);
  admission.release(v4(10, 0, 0, 1), admission.address_epoch());
  EXPECT_EQ(admission.addresses(), 0u);
}

TEST(Admission, LateAddressIsCountedEvenWhenRefused) {
  AdmissionLimits limits = roomy();
  limits.per_address_max = 1;
  Admission admission(limits, kStartUs);
  const uint8_t epoch = admission.address_epoch();
  const Address peer = v4(10, 0, 0, 1);
  EXPECT_FALSE(admission.admit_late(peer, epoch, kStartUs));
  EXPECT_EQ(admission.admit_late(peer, epoch, kStartUs), RefuseReason::kPerAddressMax);
  admission.release(peer, epoch);  // the refused one
  EXPECT_EQ(admission.admit_address(peer, kStartUs), RefuseReason::kPerAddressMax);
  admission.release(peer, epoch);
  EXPECT_EQ(admission.addresses(), 0u);
}

TEST(Admission, CountingSwitchedOffAndOnAgainDoesNotMixEpochs) {
  AdmissionLimits counting = roomy();
  counting.per_address_max = 1;
  Admission admission(counting, kStartUs);
  const Address peer = v4(10, 0, 0, 1);
  const uint8_t first = admission.address_epoch();
  ASSERT_FALSE(admission.admit_address(peer, kStartUs));
  admission.set_limits(roomy(), kStartUs);
  EXPECT_EQ(admission.address_epoch(), 0);
  admission.set_limits(counting, kStartUs);
  EXPECT_NE(admission.address_epoch(), first);
  ASSERT_FALSE(admission.admit_address(peer, kStartUs));
  admission.release(peer, first);  // counted in the old epoch: not in the new count
  EXPECT_EQ(admission.admit_address(peer, kStartUs), RefuseReason::kPerAddressMax);
}

}  // namespace
}  // namespace holdfast
