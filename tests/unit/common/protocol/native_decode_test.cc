#include <gtest/gtest.h>

#include <array>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "common/protocol/native.h"
#include "tests/unit/support/bytes.h"
#include "tests/unit/support/frame_compare.h"
#include "tests/unit/support/guarded_bytes.h"

namespace holdfast::native {

// So that a failed comparison tells the name of what was got.
void PrintTo(DecodeError error, std::ostream* out) { *out << to_text(error); }

namespace {

using test::Bytes;
using test::describe;
using test::operator+;
using test::from_hex;
using test::from_text;
using test::repeated;
using test::str16;
using test::str8;

constexpr FrameLimits kFromDevice{65536, Sender::kDevice, false};
constexpr FrameLimits kFromServer{65536, Sender::kServer, false};
constexpr FrameLimits kHelloFromDevice{65536, Sender::kDevice, true};
constexpr FrameLimits kWelcomeFromServer{65536, Sender::kServer, true};

const char kWorkedExample[] = "A0 13 48 46 47 31 00 1E 02 64 31 00 00 04 75 73 65 72 02 75 31";

// A frame by hand: encoders are not trusted with what they would not write.
Bytes frame_of(uint8_t head, const Bytes& body) {
  Bytes frame{std::byte{head}};
  size_t rest = body.size();
  do {
    const auto group = static_cast<uint8_t>(rest & 0x7F);
    rest >>= 7;
    frame.push_back(std::byte{static_cast<uint8_t>(rest > 0 ? group | 0x80 : group)});
  } while (rest > 0);
  return frame + body;
}

Bytes hello_body(const Bytes& after_magic) { return from_text("HFG1") + after_magic; }

Bytes hello_with_pairs(const Bytes& pairs) {
  return frame_of(0xA0, hello_body(from_hex("00 00") + str8("d1") + str16("") + pairs));
}

Frame decode_whole(const Bytes& bytes, const FrameLimits& limits) {
  const DecodeResult result = decode_frame(bytes, limits);
  EXPECT_EQ(result.status, DecodeStatus::kFrame);
  EXPECT_EQ(result.error, DecodeError::kNone);
  EXPECT_EQ(result.consumed, bytes.size());
  return result.frame;
}

DecodeError error_of(const Bytes& bytes, const FrameLimits& limits) {
  const DecodeResult result = decode_frame(bytes, limits);
  EXPECT_EQ(result.status, DecodeStatus::kBad);
  EXPECT_EQ(result.consumed, 0u);
  return result.error;
}

bool needs_more(const Bytes& bytes, const FrameLimits& limits) {
  const DecodeResult result = decode_frame(bytes, limits);
  EXPECT_EQ(result.consumed, 0u);
  return result.status == DecodeStatus::kNeedMore;
}

TEST(NativeDecode, NothingNeedsMore) { EXPECT_TRUE(needs_more({}, kFromDevice)); }

TEST(NativeDecode, WorkedExampleIsAHello) {
  const Bytes bytes = from_hex(kWorkedExample);
  const Frame frame = decode_whole(bytes, kHelloFromDevice);
  EXPECT_EQ(describe(frame), "HELLO heartbeat=30 id=d1 token= user=u1 app= os= net=");
}

TEST(NativeDecode, ConsumesOneFrameAndLeavesTheNext) {
  const Bytes first = from_hex("10 02 AB CD");
  const DecodeResult result = decode_frame(first + from_hex("FF FF"), kFromDevice);
  EXPECT_EQ(result.status, DecodeStatus::kFrame);
  EXPECT_EQ(result.consumed, first.size());
}

TEST(NativeDecode, HelloTakesKnownPairsInAnyOrderAndPassesUnknownOnesOver) {
  const Bytes bytes = hello_with_pairs(str8("net") + str8("lte") + str8("colour") + str8("red") +
                                       str8("colour") + str8("blue") + str8("user") + str8("u") +
                                       str8("") + str8("") + str8("os") + str8("rtos"));
  EXPECT_EQ(describe(decode_whole(bytes, kHelloFromDevice)),
            "HELLO heartbeat=0 id=d1 token= user=u app= os=rtos net=lte");
}

TEST(NativeDecode, HelloWithAKnownKeyTwiceIsMalformed) {
  for (const char* key : {"user", "app", "os", "net"}) {
    const Bytes twice = str8(key) + str8("") + str8(key) + str8("x");
    EXPECT_EQ(error_of(hello_with_pairs(twice), kHelloFromDevice), DecodeError::kMalformedBody)
        << key;
  }
}

TEST(NativeDecode, HelloWithHalfAPairIsMalformed) {
  EXPECT_EQ(error_of(hello_with_pairs(str8("user")), kHelloFromDevice),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(hello_with_pairs(from_hex("04 75 73")), kHelloFromDevice),
            DecodeError::kMalformedBody);
}

TEST(NativeDecode, HelloDeviceIdIsHeldToItsAlphabetAndLength) {
  const auto error_with_id = [](std::string_view id) {
    return decode_frame(frame_of(0xA0, hello_body(from_hex("00 00") + str8(id) + str16(""))),
                        kHelloFromDevice)
        .error;
  };
  EXPECT_EQ(error_with_id(std::string(64, 'a')), DecodeError::kNone);
  EXPECT_EQ(error_with_id(std::string(65, 'a')), DecodeError::kMalformedBody);
  // An empty id leaves the body a byte short of any HELLO; with a token it is the id that is
  // refused.
  EXPECT_EQ(error_with_id(""), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(frame_of(0xA0, hello_body(from_hex("00 00") + str8("") + str16("tok"))),
                     kHelloFromDevice),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_with_id("a b"), DecodeError::kMalformedBody);
  EXPECT_EQ(error_with_id("a\n"), DecodeError::kMalformedBody);
  EXPECT_EQ(error_with_id("a#"), DecodeError::kMalformedBody);
}

TEST(NativeDecode, HelloTokenLongerThanTheBodyIsMalformed) {
  EXPECT_EQ(
      error_of(frame_of(0xA0, hello_body(from_hex("00 00") + str8("d") + from_hex("FF FF 61"))),
               kHelloFromDevice),
      DecodeError::kMalformedBody);
}

TEST(NativeDecode, HelloMagicIsJudgedWithItsFirstWrongByte) {
  const Bytes right = from_hex("A0 13 48 46 47 31");
  for (size_t at = 2; at < right.size(); ++at) {
    Bytes wrong(right.begin(), right.begin() + static_cast<std::ptrdiff_t>(at) + 1);
    EXPECT_TRUE(needs_more(wrong, kHelloFromDevice));
    wrong.back() ^= std::byte{0x20};
    EXPECT_EQ(error_of(wrong, kHelloFromDevice), DecodeError::kBadMagic) << at;
  }
}

TEST(NativeDecode, HelloOfAnOlderOrNewerVersionIsBadMagic) {
  Bytes bytes = from_hex(kWorkedExample);
  bytes[5] = std::byte{'2'};
  EXPECT_EQ(error_of(bytes, kHelloFromDevice), DecodeError::kBadMagic);
}

TEST(NativeDecode, BodiesOfAFixedSizeAreHeldToIt) {
  for (size_t body_bytes = 0; body_bytes < 40; ++body_bytes) {
    const Bytes body = repeated(body_bytes, 0);
    const auto wanted = [](bool is_right) {
      return is_right ? DecodeError::kNone : DecodeError::kMalformedBody;
    };
    EXPECT_EQ(decode_frame(frame_of(0x80, body), kFromServer).error, wanted(body_bytes == 20));
    EXPECT_EQ(decode_frame(frame_of(0x10, body), kFromDevice).error, wanted(body_bytes <= 16));
    EXPECT_EQ(decode_frame(frame_of(0x20, body), kFromDevice).error, wanted(body_bytes <= 16));
    EXPECT_EQ(decode_frame(frame_of(0x21, body), kFromServer).error,
              wanted(body_bytes >= 2 && body_bytes <= 18));
    EXPECT_EQ(decode_frame(frame_of(0x40, body), kFromDevice).error, wanted(body_bytes == 5));
  }
}

TEST(NativeDecode, BodyThatItsTypeCannotHaveIsRefusedWithItsLength) {
  EXPECT_EQ(error_of(from_hex("10 11"), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("20 13"), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("40 04"), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("70 87 04"), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("A0 09"), kHelloFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("80 15"), kWelcomeFromServer), DecodeError::kMalformedBody);
}

TEST(NativeDecode, AckStatusAboveTheLastIsMalformed) {
  EXPECT_EQ(describe(decode_whole(from_hex("40 05 00 00 00 09 04"), kFromDevice)),
            "ACK id=9 status=4");
  EXPECT_EQ(error_of(from_hex("40 05 00 00 00 09 05"), kFromDevice), DecodeError::kMalformedBody);
}

TEST(NativeDecode, MessageTopicMayBeEmptyButNotLongerThanTheBody) {
  EXPECT_EQ(describe(decode_whole(from_hex("30 01 00"), kFromDevice)),
            "MESSAGE ack_id=none topic= [0]");
  EXPECT_EQ(describe(decode_whole(from_hex("31 07 00 00 00 2A 00 FF FE"), kFromServer)),
            "MESSAGE ack_id=42 topic= [2]FFFE");
  EXPECT_EQ(error_of(from_hex("30 01 01"), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("31 04 00 00 00 2A"), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(from_hex("30 00"), kFromDevice), DecodeError::kMalformedBody);
}

TEST(NativeDecode, SubscribeAndUnsubscribeTakeOneOrMoreFilters) {
  const Bytes one = from_hex("00 00 00 07") + str8("a/+");
  EXPECT_EQ(describe(decode_whole(frame_of(0x50, one), kFromDevice)), "SUBSCRIBE id=7 filter=a/+");
  const Bytes two = one + str8("#");
  EXPECT_EQ(describe(decode_whole(frame_of(0x60, two), kFromDevice)),
            "UNSUBSCRIBE id=7 filter=a/+ filter=#");
}

TEST(NativeDecode, SubscribeWithoutAFilterOrWithAnEmptyOneIsMalformed) {
  for (const uint8_t head : {uint8_t{0x50}, uint8_t{0x60}}) {
    const Bytes id = from_hex("00 00 00 07");
    for (const Bytes& filters : {Bytes{}, str8(""), str8("a") + str8(""), str8("") + str8("a"),
                                 from_hex("02 61"), str8("a") + from_hex("01")}) {
      EXPECT_EQ(error_of(frame_of(head, id + filters), kFromDevice), DecodeError::kMalformedBody);
    }
  }
}

TEST(NativeDecode, GoawayIsExactlyItsFourFields) {
  const Bytes numbers = from_hex("0F A0 00 00 00 64");
  EXPECT_EQ(
      describe(decode_whole(frame_of(0x70, numbers + str8("why") + str8("h:1")), kFromServer)),
      "GOAWAY code=4000 retry=100 reason=why other=h:1");
  EXPECT_EQ(error_of(frame_of(0x70, numbers + str8("why")), kFromServer),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(frame_of(0x70, numbers + str8("") + str8("") + from_hex("00")), kFromServer),
            DecodeError::kMalformedBody);
}

TEST(NativeDecode, GoawayCodeUnknownToUsIsKept) {
  const Frame frame = decode_whole(
      frame_of(0x70, from_hex("12 34 00 00 00 00") + str8("") + str8("")), kFromDevice);
  EXPECT_EQ(static_cast<uint16_t>(std::get<Goaway>(frame).code), 0x1234);
}

TEST(NativeDecode, TextThatIsNotUtf8IsMalformed) {
  const std::string bad_text = "\xC3";
  const Bytes zero = from_hex("00 00 00 00");
  EXPECT_EQ(error_of(frame_of(0x30, str8(bad_text)), kFromDevice), DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(frame_of(0x50, zero + str8(bad_text)), kFromDevice),
            DecodeError::kMalformedBody);
  const Bytes goaway_numbers = from_hex("00 00") + zero;
  EXPECT_EQ(error_of(frame_of(0x70, goaway_numbers + str8(bad_text) + str8("")), kFromDevice),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(frame_of(0x70, goaway_numbers + str8("") + str8(bad_text)), kFromDevice),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(hello_with_pairs(str8("user") + str8(bad_text)), kHelloFromDevice),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(hello_with_pairs(str8(bad_text) + str8("x")), kHelloFromDevice),
            DecodeError::kMalformedBody);
  EXPECT_EQ(error_of(frame_of(0xA0, hello_body(from_hex("00 00") + str8("d") + str16(bad_text))),
                     kHelloFromDevice),
            DecodeError::kMalformedBody);
}

TEST(NativeDecode, PayloadMayBeAnyBytes) {
  Bytes payload;
  for (int value = 0; value < 256; ++value) payload.push_back(static_cast<std::byte>(value));
  const Bytes bytes = frame_of(0x30, str8("t") + payload);
  const Frame frame = decode_whole(bytes, kFromDevice);
  const auto got = std::get<Message>(frame).payload;
  EXPECT_EQ(Bytes(got.begin(), got.end()), payload);
}

TEST(NativeDecode, EveryHeadByteIsJudgedAloneAsTheTableSays) {
  const std::set<uint8_t> device_heads = {0x10, 0x20, 0x30, 0x31, 0x40, 0x50, 0x60, 0x70, 0xA0};
  const std::set<uint8_t> server_heads = {0x10, 0x20, 0x21, 0x30, 0x31, 0x40, 0x70, 0x80, 0x81};
  const auto wanted = [](uint8_t head, const std::set<uint8_t>& listed) {
    if (listed.contains(head)) return DecodeError::kNone;
    const bool is_type_listed = listed.contains(head & 0xF0);
    return is_type_listed ? DecodeError::kUnknownFlag : DecodeError::kUnknownType;
  };
  for (unsigned value = 0; value < 256; ++value) {
    const auto head = static_cast<uint8_t>(value);
    const Bytes bytes{std::byte{head}};
    const DecodeError from_device = wanted(head, device_heads);
    const DecodeError from_server = wanted(head, server_heads);
    EXPECT_EQ(decode_frame(bytes, kFromDevice).error, from_device) << value;
    EXPECT_EQ(decode_frame(bytes, kFromServer).error, from_server) << value;
    EXPECT_EQ(is_known_head(std::byte{head}),
              device_heads.contains(head) || server_heads.contains(head))
        << value;

    const bool is_hello = head == 0xA0;
    EXPECT_EQ(
        decode_frame(bytes, kHelloFromDevice).error,
        from_device == DecodeError::kNone && !is_hello ? DecodeError::kOutOfOrder : from_device)
        << value;
    const bool is_first_from_server = head == 0x80 || head == 0x81 || head == 0x70;
    EXPECT_EQ(decode_frame(bytes, kWelcomeFromServer).error,
              from_server == DecodeError::kNone && !is_first_from_server ? DecodeError::kOutOfOrder
                                                                         : from_server)
        << value;
  }
}

TEST(NativeDecode, GoawayInsteadOfWelcomeIsRead) {
  const Bytes bytes = frame_of(0x70, from_hex("0F A5 00 00 00 64") + str8("") + str8(""));
  EXPECT_EQ(describe(decode_whole(bytes, kWelcomeFromServer)),
            "GOAWAY code=4005 retry=100 reason= other=");
}

TEST(NativeDecode, LengthNotInItsShortestFormIsBad) {
  EXPECT_EQ(error_of(from_hex("10 80 00"), kFromDevice), DecodeError::kBadLength);
  EXPECT_EQ(error_of(from_hex("30 81 00"), kFromDevice), DecodeError::kBadLength);
  EXPECT_EQ(error_of(from_hex("30 FF FF 00"), kFromDevice), DecodeError::kBadLength);
  EXPECT_EQ(error_of(from_hex("30 FF FF FF 00"), kFromDevice), DecodeError::kBadLength);
}

TEST(NativeDecode, LengthOfMoreThanFourBytesIsBadWithTheFourth) {
  EXPECT_TRUE(needs_more(from_hex("30 80 80 80"), kFromDevice));
  EXPECT_EQ(error_of(from_hex("30 80 80 80 80"), kFromDevice), DecodeError::kBadLength);
  EXPECT_EQ(error_of(from_hex("30 FF FF FF FF FF FF"), kFromDevice), DecodeError::kBadLength);
}

TEST(NativeDecode, FrameOverTheLimitIsRefusedWithItsLength) {
  FrameLimits limits = kFromDevice;
  EXPECT_TRUE(needs_more(from_hex("30 80 80 04"), limits));  // 65,536
  EXPECT_EQ(error_of(from_hex("30 81 80 04"), limits), DecodeError::kFrameTooLarge);
  EXPECT_EQ(error_of(from_hex("30 FF FF FF 7F"), limits), DecodeError::kFrameTooLarge);
  limits.body_bytes_max = 16 << 20;
  EXPECT_TRUE(needs_more(from_hex("30 80 80 80 08"), limits));  // 16 MiB
  EXPECT_EQ(error_of(from_hex("30 81 80 80 08"), limits), DecodeError::kFrameTooLarge);
  limits.body_bytes_max = 4;
  EXPECT_EQ(error_of(from_hex("40 05"), limits), DecodeError::kFrameTooLarge);
}

TEST(NativeDecode, HelloMayHaveAtMostOneKibibyteBeforeWelcome) {
  EXPECT_TRUE(needs_more(from_hex("A0 80 08"), kHelloFromDevice));  // 1,024
  EXPECT_EQ(error_of(from_hex("A0 81 08"), kHelloFromDevice), DecodeError::kFrameTooLarge);
  EXPECT_TRUE(needs_more(from_hex("A0 81 08"), kFromDevice));
  FrameLimits smaller = kHelloFromDevice;
  smaller.body_bytes_max = 512;
  EXPECT_TRUE(needs_more(from_hex("A0 80 04"), smaller));
  EXPECT_EQ(error_of(from_hex("A0 81 04"), smaller), DecodeError::kFrameTooLarge);
}

TEST(NativeDecode, DeviceIdAlphabetIsExact) {
  const std::string allowed = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-";
  for (int value = 0; value < 256; ++value) {
    const char c = static_cast<char>(value);
    EXPECT_EQ(is_valid_device_id(std::string(1, c)), allowed.find(c) != std::string::npos) << value;
  }
  EXPECT_FALSE(is_valid_device_id(""));
  EXPECT_TRUE(is_valid_device_id(std::string(64, '-')));
  EXPECT_FALSE(is_valid_device_id(std::string(65, '-')));
}

TEST(NativeDecode, EveryErrorHasATextOfItsOwn) {
  std::set<std::string_view> texts;
  for (const DecodeError error :
       {DecodeError::kNone, DecodeError::kUnknownType, DecodeError::kUnknownFlag,
        DecodeError::kOutOfOrder, DecodeError::kBadLength, DecodeError::kFrameTooLarge,
        DecodeError::kBadMagic, DecodeError::kMalformedBody}) {
    EXPECT_TRUE(texts.insert(to_text(error)).second);
  }
}

// Every type with its flags, from a device and from the server, ending in a fault or not.
std::vector<Bytes> device_stream() {
  return {from_hex(kWorkedExample),
          from_hex("10 00"),
          from_hex("10 03 01 02 03"),
          from_hex("20 02 AB CD"),
          frame_of(0x30, str8("a/b") + repeated(200, 0x30)),
          frame_of(0x31, from_hex("00 00 00 01") + str8("t") + from_text("hello")),
          from_hex("40 05 00 00 00 01 00"),
          frame_of(0x50, from_hex("00 00 00 02") + str8("a/#") + str8("+")),
          frame_of(0x60, from_hex("00 00 00 03") + str8("a/#")),
          frame_of(0x70, from_hex("00 00 00 00 00 00") + str8("bye") + str8(""))};
}

std::vector<Bytes> server_stream() {
  return {frame_of(0x81, repeated(20, 0x11)),
          from_hex("10 00"),
          from_hex("20 01 AB"),
          from_hex("21 03 00 3C AB"),
          frame_of(0x30, str8("x") + repeated(130, 0x7F)),
          frame_of(0x31, from_hex("00 00 00 01") + str8("t")),
          from_hex("40 05 FF FF FF FF 02"),
          frame_of(0x70, from_hex("0F A6 00 00 10 00") + str8("drain") + str8("h:1"))};
}

Bytes joined(const std::vector<Bytes>& frames) {
  Bytes all;
  for (const Bytes& frame : frames) all = std::move(all) + frame;
  return all;
}

// What a connection would see when its bytes come in the given pieces: frames, and an error if any.
std::vector<std::string> read_in_pieces(const Bytes& stream, const std::vector<size_t>& piece_ends,
                                        const FrameLimits& limits) {
  std::vector<std::string> seen;
  size_t at = 0;
  for (const size_t end : piece_ends) {
    for (;;) {
      const test::GuardedBytes input(test::prefix_of(stream, end).subspan(at));
      const DecodeResult result = decode_frame(input.bytes(), limits);
      if (result.status == DecodeStatus::kBad) {
        seen.emplace_back(to_text(result.error));
        return seen;
      }
      if (result.status == DecodeStatus::kNeedMore) break;
      seen.push_back(describe(result.frame));
      at += result.consumed;
    }
  }
  return seen;
}

void expect_same_in_every_cutting(const Bytes& stream, const FrameLimits& limits) {
  const std::vector<std::string> whole = read_in_pieces(stream, {stream.size()}, limits);
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    ASSERT_EQ(read_in_pieces(stream, {cut, stream.size()}, limits), whole) << "cut at " << cut;
  }
  std::vector<size_t> single_bytes;
  for (size_t end = 1; end <= stream.size(); ++end) single_bytes.push_back(end);
  ASSERT_EQ(read_in_pieces(stream, single_bytes, limits), whole);
  std::mt19937 random(1);
  for (int round = 0; round < 100; ++round) {
    std::set<size_t> ends = {stream.size()};
    const size_t cuts = random() % 12;
    for (size_t i = 0; i < cuts; ++i) ends.insert(random() % (stream.size() + 1));
    ASSERT_EQ(read_in_pieces(stream, {ends.begin(), ends.end()}, limits), whole);
  }
}

TEST(NativeDecode, DeviceStreamReadsTheSameInEveryCutting) {
  const std::vector<Bytes> frames = device_stream();
  const Bytes stream = joined(frames);
  EXPECT_EQ(read_in_pieces(stream, {stream.size()}, kFromDevice).size(), frames.size());
  expect_same_in_every_cutting(stream, kFromDevice);
}

TEST(NativeDecode, ServerStreamReadsTheSameInEveryCutting) {
  const std::vector<Bytes> frames = server_stream();
  const Bytes stream = joined(frames);
  EXPECT_EQ(read_in_pieces(stream, {stream.size()}, kFromServer).size(), frames.size());
  expect_same_in_every_cutting(stream, kFromServer);
}

TEST(NativeDecode, FaultsReadTheSameInEveryCutting) {
  const Bytes before = from_hex("10 00 20 01 AA");
  for (const char* fault : {"F0 00", "12 00", "30 80 00", "30 80 80 80 80 01", "30 FF FF FF 7F",
                            "A0 0A 48 46 48 31 00 00 01 64 00 00", "40 05 00 00 00 00 09",
                            "30 02 01 C3", "50 04 00 00 00 00"}) {
    expect_same_in_every_cutting(before + from_hex(fault) + from_hex("10 00"), kFromDevice);
  }
}

TEST(NativeDecode, EveryStrictPrefixNeedsMoreAndIsNotReadPast) {
  const auto expect_prefixes = [](const std::vector<Bytes>& frames, const FrameLimits& limits) {
    for (const Bytes& frame : frames) {
      for (size_t count = 0; count < frame.size(); ++count) {
        const test::GuardedBytes prefix(test::prefix_of(frame, count));
        EXPECT_EQ(decode_frame(prefix.bytes(), limits).status, DecodeStatus::kNeedMore) << count;
      }
      const test::GuardedBytes whole(frame);
      EXPECT_EQ(decode_frame(whole.bytes(), limits).status, DecodeStatus::kFrame);
    }
  };
  expect_prefixes(device_stream(), kFromDevice);
  expect_prefixes(server_stream(), kFromServer);
}

TEST(NativeDecode, EveryBodyCutWithinItsFrameIsReadNoFurtherThanItsFrame) {
  // The length says less than the fields need: the fault must be seen without a look beyond the
  // body.
  for (const Bytes& frame : device_stream()) {
    if (frame[1] >= std::byte{0x80}) continue;  // a length of two bytes
    for (uint8_t body_bytes = 0; body_bytes < static_cast<uint8_t>(frame[1]); ++body_bytes) {
      Bytes cut(frame.begin(), frame.begin() + 2 + body_bytes);
      cut[1] = std::byte{body_bytes};
      const test::GuardedBytes input(cut);
      const DecodeResult result = decode_frame(input.bytes(), kFromDevice);
      EXPECT_NE(result.status, DecodeStatus::kNeedMore);
    }
  }
}

TEST(NativeDecode, RandomBytesNeverGiveMoreThanWasThere) {
  std::mt19937 random(7);
  constexpr std::array<uint8_t, 10> kHeads = {0x10, 0x20, 0x30, 0x31, 0x40,
                                              0x50, 0x60, 0x70, 0xA0, 0x21};
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(1 + random() % 40);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
    bytes[0] = std::byte{kHeads[random() % kHeads.size()]};
    const test::GuardedBytes input(bytes);
    const DecodeResult result = decode_frame(input.bytes(), kFromDevice);
    ASSERT_LE(result.consumed, bytes.size());
    ASSERT_EQ(result.consumed > 0, result.status == DecodeStatus::kFrame);
    ASSERT_EQ(result.error != DecodeError::kNone, result.status == DecodeStatus::kBad);
  }
}

}  // namespace
}  // namespace holdfast::native
