#include "gateway/session/peer_identity.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace holdfast {
namespace {

const Address kIpv4 = Address::from_ipv4({192, 0, 2, 7}, 54321);
const Address kIpv6 =
    Address::from_ipv6({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9}, 65535);
constexpr size_t kBesideId = sizeof(Address) + 5;  // what an allocation holds besides the id

PeerIdentity identity_of(const Address& address, std::string_view device_id,
                         const Attributes& attributes = {}) {
  PeerIdentity identity(address);
  identity.set_device(device_id, attributes);
  return identity;
}

TEST(PeerIdentity, KnowsAnAddressBeforeAnyDevice) {
  for (const Address& address : {kIpv4, kIpv6}) {
    const PeerIdentity identity(address);
    EXPECT_EQ(identity.address(), address);
    EXPECT_EQ(identity.device_id(), "");
    EXPECT_EQ(identity.attributes().net, "");
  }
}

TEST(PeerIdentity, ShortIdAtAnIpv4AddressNeedsNoHeap) {
  for (size_t length = 1; length <= 19; ++length) {
    const std::string id(length, 'd');
    const PeerIdentity identity = identity_of(kIpv4, id);
    EXPECT_EQ(identity.address(), kIpv4);
    EXPECT_EQ(identity.device_id(), id);
    EXPECT_EQ(identity.heap_bytes(), 0u) << length;
    EXPECT_EQ(identity.attributes().user, "");
  }
}

TEST(PeerIdentity, LongIdTakesExactlyItsBytes) {
  for (const size_t length : {size_t{20}, size_t{64}}) {
    const std::string id(length, 'x');
    const PeerIdentity identity = identity_of(kIpv4, id);
    EXPECT_EQ(identity.address(), kIpv4);
    EXPECT_EQ(identity.device_id(), id);
    EXPECT_EQ(identity.heap_bytes(), length + kBesideId);
  }
}

TEST(PeerIdentity, Ipv6TakesAnAllocation) {
  const PeerIdentity identity = identity_of(kIpv6, "d1");
  EXPECT_EQ(identity.address(), kIpv6);
  EXPECT_EQ(identity.device_id(), "d1");
  EXPECT_EQ(identity.heap_bytes(), 2 + kBesideId);
}

TEST(PeerIdentity, KeepsAllAttributes) {
  const std::string user(255, 'u');
  const PeerIdentity identity =
      identity_of(kIpv4, "d1", {.user = user, .app = "a", .os = "", .net = "5g"});
  EXPECT_EQ(identity.address(), kIpv4);
  EXPECT_EQ(identity.device_id(), "d1");
  EXPECT_EQ(identity.attributes().user, user);
  EXPECT_EQ(identity.attributes().app, "a");
  EXPECT_EQ(identity.attributes().os, "");
  EXPECT_EQ(identity.attributes().net, "5g");
}

TEST(PeerIdentity, ANewAddressLeavesTheDeviceAsItIs) {
  PeerIdentity identity =
      identity_of(kIpv4, "device", {.user = "u", .app = {}, .os = {}, .net = {}});
  identity.set_address(kIpv6);
  EXPECT_EQ(identity.address(), kIpv6);
  EXPECT_EQ(identity.device_id(), "device");
  EXPECT_EQ(identity.attributes().user, "u");
  identity.set_device(identity.device_id(), {});  // points into what it replaces
  identity.set_address(kIpv4);
  EXPECT_EQ(identity.device_id(), "device");
  EXPECT_EQ(identity.heap_bytes(), 0u);
}

TEST(PeerIdentity, MovesLeaveTheSourceEmpty) {
  PeerIdentity on_heap = identity_of(kIpv4, std::string(40, 'h'));
  PeerIdentity moved(std::move(on_heap));
  EXPECT_EQ(moved.device_id(), std::string(40, 'h'));
  EXPECT_EQ(on_heap.device_id(), "");  // NOLINT(bugprone-use-after-move)
  PeerIdentity target = identity_of(kIpv6, "short");
  target = std::move(moved);
  EXPECT_EQ(target.device_id(), std::string(40, 'h'));
  target = identity_of(kIpv4, "again");
  EXPECT_EQ(target.device_id(), "again");
}

}  // namespace
}  // namespace holdfast
