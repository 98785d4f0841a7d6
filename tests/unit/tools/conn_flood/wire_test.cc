#include "tools/conn_flood/wire.h"

#include <gtest/gtest.h>

#include <array>
#include <span>
#include <string>
#include <variant>

namespace holdfast::flood {
namespace {

using Bytes = std::array<std::byte, wire::kFrameBytesMax>;

native::DecodeResult read_as_server(std::span<const std::byte> bytes) {
  return native::decode_frame(bytes, native::FrameLimits{});
}

TEST(Wire, HelloSaysWhoAndHowOften) {
  Bytes out{};
  const size_t bytes = wire::write_hello("flood-0000000007", 30, out);
  const native::DecodeResult result = read_as_server(std::span(out).first(bytes));
  ASSERT_EQ(result.status, native::DecodeStatus::kFrame);
  const Hello& hello = std::get<Hello>(result.frame);
  EXPECT_EQ(hello.device_id, "flood-0000000007");
  EXPECT_EQ(hello.heartbeat_s, 30);
}

TEST(Wire, LongestHelloFits) {
  Bytes out{};
  EXPECT_GT(wire::write_hello(std::string(kDeviceIdBytesMax, 'x'), 30, out), kDeviceIdBytesMax);
}

TEST(Wire, PingCarriesItsPlannedTimeThere) {
  Bytes out{};
  const uint64_t planned_us = 0x0123456789ABCDEF;
  const size_t bytes = wire::write_ping(planned_us, out);
  const native::DecodeResult result = read_as_server(std::span(out).first(bytes));
  ASSERT_EQ(result.status, native::DecodeStatus::kFrame);
  uint64_t echoed_us = 0;
  EXPECT_TRUE(wire::read_echo(std::get<Ping>(result.frame).echo, echoed_us));
  EXPECT_EQ(echoed_us, planned_us);
}

TEST(Wire, EchoOfAnotherLengthIsNotOurs) {
  const std::array<std::byte, 16> bytes{};
  uint64_t planned_us = 0;
  for (const size_t length : {0u, 7u, 9u, 16u}) {
    EXPECT_FALSE(wire::read_echo(std::span(bytes).first(length), planned_us)) << length;
  }
}

TEST(Wire, HalfPingNeverBecomesAFrame) {
  Bytes out{};
  const size_t bytes = wire::write_half_ping(out);
  EXPECT_GT(bytes, 0u);
  const native::DecodeResult result = read_as_server(std::span(out).first(bytes));
  EXPECT_EQ(result.status, native::DecodeStatus::kNeedMore);
}

TEST(Wire, ReadsWhatTheServerSendsAndNothingElse) {
  Bytes out{};
  const size_t welcome = native::encode(Welcome{false, 30, 90, 1, 2}, out);
  EXPECT_EQ(wire::read_frame(std::span(out).first(welcome)).status, native::DecodeStatus::kFrame);
  const size_t hello = wire::write_hello("d1", 30, out);
  EXPECT_EQ(wire::read_frame(std::span(out).first(hello)).status, native::DecodeStatus::kBad);
}

}  // namespace
}  // namespace holdfast::flood
