#include "common/protocol/sniff.h"

#include <gtest/gtest.h>

#include <ostream>
#include <random>
#include <string>

#include "common/protocol/native.h"
#include "tests/unit/support/bytes.h"
#include "tests/unit/support/guarded_bytes.h"

namespace holdfast {

// So that a failed comparison tells the name of what was got.
void PrintTo(SniffedProtocol protocol, std::ostream* out) {
  static constexpr const char* kNames[] = {"need more", "native", "TLS", "HTTP", "MQTT", "unknown"};
  *out << kNames[static_cast<size_t>(protocol)];
}

namespace {

using test::Bytes;
using test::operator+;
using test::from_hex;
using test::from_text;

// Sniffs every prefix against an unmapped page. The first answer must be `wanted`, must come with
// byte `known_after`, and must stay.
void expect_known_after(const Bytes& bytes, SniffedProtocol wanted, size_t known_after) {
  for (size_t count = 0; count <= bytes.size(); ++count) {
    const test::GuardedBytes prefix(test::prefix_of(bytes, count));
    EXPECT_EQ(sniff(prefix.bytes()), count < known_after ? SniffedProtocol::kNeedMore : wanted)
        << test::to_text(bytes) << " after " << count;
  }
}

TEST(Sniff, NothingNeedsMore) { EXPECT_EQ(sniff({}), SniffedProtocol::kNeedMore); }

TEST(Sniff, HelloIsNativeWithItsFirstByte) {
  expect_known_after(from_hex("A0 13 48 46 47 31"), SniffedProtocol::kNative, 1);
  expect_known_after(from_hex("A0 FF FF FF FF FF"), SniffedProtocol::kNative, 1);
}

TEST(Sniff, TlsHandshakeRecordIsKnownByItsVersion) {
  for (const char* hex : {"16 03 00 01 00", "16 03 01 02 00", "16 03 03 00 05", "16 03 04 00 05"}) {
    expect_known_after(from_hex(hex), SniffedProtocol::kTls, 3);
  }
  expect_known_after(from_hex("16 02 01"), SniffedProtocol::kUnknown, 2);
  expect_known_after(from_hex("16 03 05"), SniffedProtocol::kUnknown, 3);
  expect_known_after(from_hex("16 03 80"), SniffedProtocol::kUnknown, 3);
}

TEST(Sniff, HttpMethodIsKnownByTheSpaceBehindIt) {
  for (const char* method :
       {"GET", "POST", "PUT", "HEAD", "DELETE", "OPTIONS", "CONNECT", "PATCH", "PRI"}) {
    const std::string line = std::string(method) + " /path HTTP/1.1\r\n";
    expect_known_after(from_text(line), SniffedProtocol::kHttp, std::string(method).size() + 1);
  }
}

TEST(Sniff, HttpMethodIsCaseSensitiveAndWhole) {
  expect_known_after(from_text("get / HTTP/1.1"), SniffedProtocol::kUnknown, 1);
  expect_known_after(from_text("GETS / HTTP/1.1"), SniffedProtocol::kUnknown, 4);
  expect_known_after(from_text("GET\t/"), SniffedProtocol::kUnknown, 4);
  expect_known_after(from_text("HEAL"), SniffedProtocol::kUnknown, 4);
}

TEST(Sniff, FirstByteOfPostIsASubscribeUntilTheSecond) {
  expect_known_after(from_hex("50 06"), SniffedProtocol::kNative, 2);
  expect_known_after(from_text("POLL "), SniffedProtocol::kNative, 3);
}

TEST(Sniff, MqttConnectIsKnownByItsProtocolName) {
  expect_known_after(from_hex("10 0C 00 04") + from_text("MQTT") + from_hex("04 02 00 3C 00 00"),
                     SniffedProtocol::kMqtt, 8);
  expect_known_after(from_hex("10 80 01 00 04") + from_text("MQTT") + from_hex("05"),
                     SniffedProtocol::kMqtt, 9);
  expect_known_after(from_hex("10 80 80 80 01 00 04") + from_text("MQTT") + from_hex("05"),
                     SniffedProtocol::kMqtt, 11);
  expect_known_after(from_hex("10 0E 00 06") + from_text("MQIsdp") + from_hex("03 02"),
                     SniffedProtocol::kMqtt, 10);
  expect_known_after(from_hex("10 80 80 80 01 00 06") + from_text("MQIsdp") + from_hex("03"),
                     SniffedProtocol::kMqtt, kSniffBytesMax);
}

TEST(Sniff, PingIsNativeAndNotMqtt) {
  expect_known_after(from_hex("10 00 10 00"), SniffedProtocol::kNative, 2);
  expect_known_after(from_hex("10 08 00 04 4D 51 54 54 04 02"), SniffedProtocol::kNative, 2);
  expect_known_after(from_hex("10 0C 01 02 03 04"), SniffedProtocol::kNative, 3);
  expect_known_after(from_hex("10 10 00 04 4D 51 54 55"), SniffedProtocol::kNative, 8);
  expect_known_after(from_hex("10 FF FF FF FF 00 04"), SniffedProtocol::kNative, 5);
}

TEST(Sniff, OtherNativeHeadsAreLeftToTheNativeCodec) {
  for (const char* hex : {"20", "21", "30", "31", "40", "60", "70", "80", "81"}) {
    EXPECT_EQ(sniff(from_hex(hex)), SniffedProtocol::kNative) << hex;
  }
}

TEST(Sniff, OtherFirstBytesAreUnknown) {
  for (const char* hex : {"00", "0D", "11", "22", "32", "51", "61", "71", "82", "90", "A1", "FF"}) {
    EXPECT_EQ(sniff(from_hex(hex)), SniffedProtocol::kUnknown) << hex;
  }
  EXPECT_EQ(sniff(from_text("SSH-2.0-OpenSSH")), SniffedProtocol::kUnknown);
}

TEST(Sniff, AlwaysKnowsAfterItsMostBytesAndNeverChangesItsMind) {
  std::mt19937 random(3);
  const std::string alphabet("\x10\x16\x03\x04\x06\x0C\x80\x00GETPOSRIMQIsdp \xA0", 22);
  for (int round = 0; round < 50'000; ++round) {
    Bytes bytes;
    for (size_t i = 0; i < kSniffBytesMax; ++i) {
      bytes.push_back(static_cast<std::byte>(alphabet[random() % alphabet.size()]));
    }
    const SniffedProtocol last = sniff(bytes);
    ASSERT_NE(last, SniffedProtocol::kNeedMore);
    for (size_t count = 0; count < bytes.size(); ++count) {
      const SniffedProtocol earlier = sniff(test::prefix_of(bytes, count));
      ASSERT_TRUE(earlier == SniffedProtocol::kNeedMore || earlier == last);
    }
  }
}

}  // namespace
}  // namespace holdfast
