#include <gtest/gtest.h>

#include <array>
#include <string>

#include "common/protocol/native.h"
#include "common/protocol/utf8.h"
#include "tests/unit/support/bytes.h"
#include "tests/unit/support/frame_compare.h"

namespace holdfast::native {
namespace {

using test::Bytes;
using test::operator+;
using test::from_hex;
using test::from_text;
using test::repeated;
using test::str8;

// Encodes into exactly as many bytes as the frame has, after seeing that one byte less is refused
// and left as it was.
template <class Content>
Bytes encoded(const Content& content) {
  Bytes roomy = repeated(70'000, 0xEE);
  const size_t frame_bytes = encode(content, roomy);
  EXPECT_GT(frame_bytes, 0u);
  EXPECT_EQ(roomy[frame_bytes], std::byte{0xEE});
  Bytes tight = repeated(frame_bytes - 1, 0xEE);
  EXPECT_EQ(encode(content, tight), 0u);
  EXPECT_EQ(tight, repeated(frame_bytes - 1, 0xEE));
  Bytes exact(frame_bytes);
  EXPECT_EQ(encode(content, exact), frame_bytes);
  roomy.resize(frame_bytes);
  EXPECT_EQ(exact, roomy);
  return exact;
}

template <class Content>
void expect_round_trip(const Content& content, Sender sender) {
  const Bytes bytes = encoded(content);
  FrameLimits limits;
  limits.sender = sender;
  const DecodeResult result = decode_frame(bytes, limits);
  ASSERT_EQ(result.status, DecodeStatus::kFrame) << to_text(result.error);
  EXPECT_EQ(result.consumed, bytes.size());
  EXPECT_EQ(test::describe(result.frame), test::describe(Frame(content)));
}

TEST(NativeEncode, HelloIsTheWorkedExampleByteForByte) {
  Hello hello;
  hello.heartbeat_s = 30;
  hello.device_id = "d1";
  hello.attributes.user = "u1";
  EXPECT_EQ(encoded(hello),
            from_hex("A0 13 48 46 47 31 00 1E 02 64 31 00 00 04 75 73 65 72 02 75 31"));
}

TEST(NativeEncode, HelloWithEverythingComesBackTheSame) {
  const std::string token(65535, 't');
  Hello hello;
  hello.heartbeat_s = 65535;
  hello.device_id = "Az09._:-";
  hello.token = std::string_view(token).substr(0, 60'000);
  hello.attributes = {"user \xC3\xA9", "app", "os", "net"};
  expect_round_trip(hello, Sender::kDevice);
  Bytes out(70'000);
  EXPECT_EQ(encode(Hello{0, "d", token, {}}, out), 4u + 4 + 2 + 2 + 2 + 65535);
}

TEST(NativeEncode, HelloLeavesEmptyAttributesOut) {
  EXPECT_EQ(encoded(Hello{0, "d", "", {}}), from_hex("A0 0A") + from_text("HFG1") +
                                                from_hex("00 00") + str8("d") + from_hex("00 00"));
}

TEST(NativeEncode, WelcomeHasItsFlagAndBigEndianNumbers) {
  Welcome welcome{true, 0x0102, 0x0304, 0x05060708090A0B0C, 0x0D0E0F1011121314};
  EXPECT_EQ(encoded(welcome),
            from_hex("81 14 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F 10 11 12 13 14"));
  expect_round_trip(welcome, Sender::kServer);
  welcome.took_over = false;
  EXPECT_EQ(encoded(welcome)[0], std::byte{0x80});
  expect_round_trip(welcome, Sender::kServer);
}

TEST(NativeEncode, PingAndPongCarryUpToSixteenBytes) {
  const Bytes echo = from_hex("00 01 02 03 04 05 06 07 08 09 0A 0B 0C 0D 0E 0F");
  EXPECT_EQ(encoded(Ping{}), from_hex("10 00"));
  EXPECT_EQ(encoded(Ping{echo}), from_hex("10 10") + echo);
  EXPECT_EQ(encoded(Pong{}), from_hex("20 00"));
  EXPECT_EQ(encoded(Pong{45, echo}), from_hex("21 12 00 2D") + echo);
  for (const Sender sender : {Sender::kDevice, Sender::kServer}) {
    expect_round_trip(Ping{echo}, sender);
    expect_round_trip(Pong{std::nullopt, echo}, sender);
  }
  expect_round_trip(Pong{0, echo}, Sender::kServer);
}

TEST(NativeEncode, MessageHasAnIdOnlyWhenAnAckIsWanted) {
  const Bytes payload = from_hex("CA FE");
  EXPECT_EQ(encoded(Message{std::nullopt, "t", payload}), from_hex("30 04 01 74 CA FE"));
  EXPECT_EQ(encoded(Message{7, "t", payload}), from_hex("31 08 00 00 00 07 01 74 CA FE"));
  EXPECT_EQ(encoded(Message{}), from_hex("30 01 00"));
  const std::string topic(255, 'x');
  for (const Sender sender : {Sender::kDevice, Sender::kServer}) {
    expect_round_trip(Message{std::nullopt, "a/b", payload}, sender);
    expect_round_trip(Message{0xFFFFFFFF, topic, {}}, sender);
  }
}

TEST(NativeEncode, LengthTakesItsShortestForm) {
  const struct {
    size_t body_bytes;
    const char* head;
  } cases[] = {
      {1, "30 01"},
      {127, "30 7F"},
      {128, "30 80 01"},
      {16'383, "30 FF 7F"},
      {16'384, "30 80 80 01"},
      {2'097'151, "30 FF FF 7F"},
      {2'097'152, "30 80 80 80 01"},
  };
  for (const auto& one : cases) {
    const Bytes payload = repeated(one.body_bytes - 1, 0x5A);
    Bytes out(one.body_bytes + kHeadBytesMax);
    const size_t frame_bytes = encode(Message{std::nullopt, "", payload}, out);
    out.resize(frame_bytes);
    EXPECT_EQ(out, from_hex(one.head) + from_hex("00") + payload) << one.body_bytes;
    FrameLimits limits;
    limits.body_bytes_max = 16 << 20;
    EXPECT_EQ(decode_frame(out, limits).consumed, frame_bytes) << one.body_bytes;
  }
}

TEST(NativeEncode, AckHasItsIdAndStatus) {
  EXPECT_EQ(encoded(Ack{0x01020304, AckStatus::kTooLarge}), from_hex("40 05 01 02 03 04 03"));
  for (uint8_t status = 0; status <= 4; ++status) {
    expect_round_trip(Ack{status, static_cast<AckStatus>(status)}, Sender::kDevice);
    expect_round_trip(Ack{status, static_cast<AckStatus>(status)}, Sender::kServer);
  }
}

TEST(NativeEncode, GoawayHasCodeDelayAndTwoTexts) {
  const Goaway goaway{GoawayCode::kDraining, 1500, "bye", "[::1]:7000"};
  EXPECT_EQ(encoded(goaway),
            from_hex("70 15 0F A6 00 00 05 DC") + str8("bye") + str8("[::1]:7000"));
  expect_round_trip(goaway, Sender::kServer);
  expect_round_trip(Goaway{}, Sender::kDevice);
}

TEST(NativeEncode, GoawayCutsLongTextToWholeCharactersAndStillFits) {
  // The euro sign has three bytes, so that 255 falls at every place within it.
  for (size_t lead_bytes = 0; lead_bytes < 3; ++lead_bytes) {
    std::string reason(lead_bytes, 'x');
    while (reason.size() < 400) reason += "\xE2\x82\xAC";
    std::array<std::byte, kControlFrameBytesMax> out;
    const size_t frame_bytes = encode(Goaway{GoawayCode::kKicked, 1, reason, reason}, out);
    ASSERT_GT(frame_bytes, 0u);
    FrameLimits limits;
    limits.sender = Sender::kServer;
    const DecodeResult result = decode_frame(std::span(out).first(frame_bytes), limits);
    ASSERT_EQ(result.status, DecodeStatus::kFrame) << to_text(result.error);
    const auto& goaway = std::get<Goaway>(result.frame);
    EXPECT_EQ(goaway.reason, reason.substr(0, goaway.reason.size()));
    EXPECT_GT(goaway.reason.size(), 252u);
    EXPECT_EQ(goaway.other_address, goaway.reason);
  }
}

TEST(NativeEncode, LongestControlFrameNeedsNoMoreThanItsConstant) {
  const std::string text(255, 'x');
  std::array<std::byte, kControlFrameBytesMax> out;
  EXPECT_GT(encode(Goaway{GoawayCode::kKicked, UINT32_MAX, text, text}, out), 0u);
}

TEST(NativeEncodeDeathTest, TextThatNoFieldCanHoldIsABug) {
  const std::string long_text(256, 'x');
  const std::string long_token(65536, 'x');
  const Bytes long_echo(17);
  Bytes out(70'000);
  EXPECT_DEATH((void)encode(Hello{0, "no spaces", "", {}}, out), "check failed");
  EXPECT_DEATH((void)encode(Hello{0, "d", long_token, {}}, out), "check failed");
  EXPECT_DEATH((void)encode(Hello{0, "d", "", {long_text, "", "", ""}}, out), "check failed");
  EXPECT_DEATH((void)encode(Message{std::nullopt, long_text, {}}, out), "check failed");
  EXPECT_DEATH((void)encode(Ping{long_echo}, out), "check failed");
  EXPECT_DEATH((void)encode(Pong{std::nullopt, long_echo}, out), "check failed");
}

}  // namespace
}  // namespace holdfast::native
