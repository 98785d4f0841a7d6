#include "gateway/session/device_identity.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace holdfast {
namespace {

TEST(DeviceIdentity, ShortIdWithoutAttributesNeedsNoHeap) {
  for (size_t length = 1; length <= 22; ++length) {
    const std::string id(length, 'd');
    const DeviceIdentity identity(id, {});
    EXPECT_EQ(identity.device_id(), id);
    EXPECT_EQ(identity.heap_bytes(), 0u) << length;
    EXPECT_EQ(identity.attributes().user, "");
  }
}

TEST(DeviceIdentity, LongIdTakesExactlyItsBytes) {
  const std::string id(64, 'x');
  const DeviceIdentity identity(id, {});
  EXPECT_EQ(identity.device_id(), id);
  EXPECT_EQ(identity.heap_bytes(), 64u + 5);
}

TEST(DeviceIdentity, KeepsAllAttributes) {
  const std::string user(255, 'u');
  const DeviceIdentity identity("d1", {.user = user, .app = "a", .os = "", .net = "5g"});
  EXPECT_EQ(identity.device_id(), "d1");
  EXPECT_EQ(identity.attributes().user, user);
  EXPECT_EQ(identity.attributes().app, "a");
  EXPECT_EQ(identity.attributes().os, "");
  EXPECT_EQ(identity.attributes().net, "5g");
}

TEST(DeviceIdentity, MovesLeaveTheSourceEmpty) {
  DeviceIdentity on_heap(std::string(40, 'h'), {});
  DeviceIdentity moved(std::move(on_heap));
  EXPECT_EQ(moved.device_id(), std::string(40, 'h'));
  EXPECT_EQ(on_heap.device_id(), "");  // NOLINT(bugprone-use-after-move)
  DeviceIdentity target("short", {});
  target = std::move(moved);
  EXPECT_EQ(target.device_id(), std::string(40, 'h'));
  target = DeviceIdentity("again", {});
  EXPECT_EQ(target.device_id(), "again");
}

}  // namespace
}  // namespace holdfast
