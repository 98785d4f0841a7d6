#include "common/protocol/proxy_protocol.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "tests/unit/support/bytes.h"
#include "tests/unit/support/guarded_bytes.h"

namespace holdfast::proxy_protocol {

// So that a failed comparison tells the name of what was got.
void PrintTo(ParseStatus status, std::ostream* out) {
  static constexpr const char* kNames[] = {"header", "need more", "bad"};
  *out << kNames[static_cast<size_t>(status)];
}

namespace {

using test::Bytes;
using test::operator+;
using test::from_hex;
using test::from_text;
using test::repeated;

// Parses every prefix against an unmapped page: all but the whole need more. Then the whole with
// other bytes behind it, which must stay.
ParseResult parse_whole(const Bytes& header) {
  for (size_t count = 0; count < header.size(); ++count) {
    const test::GuardedBytes prefix(test::prefix_of(header, count));
    EXPECT_EQ(parse(prefix.bytes()).status, ParseStatus::kNeedMore) << "after " << count;
  }
  const test::GuardedBytes whole(header);
  const ParseResult result = parse(whole.bytes());
  EXPECT_EQ(result.status, ParseStatus::kHeader);
  EXPECT_EQ(result.consumed, header.size());
  const ParseResult longer = parse(header + from_hex("A0 13 48 46"));
  EXPECT_EQ(longer.status, ParseStatus::kHeader);
  EXPECT_EQ(longer.consumed, header.size());
  return result;
}

// Every prefix needs more until one is bad; from then on all are.
void expect_bad_after(const Bytes& bytes, size_t known_after) {
  for (size_t count = 0; count <= bytes.size(); ++count) {
    const test::GuardedBytes prefix(test::prefix_of(bytes, count));
    const ParseResult result = parse(prefix.bytes());
    EXPECT_EQ(result.status, count < known_after ? ParseStatus::kNeedMore : ParseStatus::kBad)
        << test::to_text(bytes) << " after " << count;
    EXPECT_EQ(result.consumed, 0u);
  }
}

void expect_bad_line(const std::string& line) {
  expect_bad_after(from_text(line + "\r\n"), line.size() + 2);
}

TEST(ProxyProtocol, BytesOfNoHeaderAreBadAtOnce) {
  expect_bad_after(from_hex("A0 13"), 1);
  expect_bad_after(from_text("GET / HTTP/1.1"), 1);
  expect_bad_after(from_text("PROXIES"), 5);
  expect_bad_after(from_hex("0D 0A 0D 0A 00 0D 0B"), 7);
}

TEST(ProxyProtocolText, Tcp4GivesTheSource) {
  const ParseResult result =
      parse_whole(from_text("PROXY TCP4 192.0.2.1 255.255.255.255 56324 443\r\n"));
  EXPECT_TRUE(result.has_source);
  EXPECT_TRUE(result.is_ipv4);
  EXPECT_EQ(result.source_bytes, (std::array<uint8_t, 16>{192, 0, 2, 1}));
  EXPECT_EQ(result.source_port, 56324);
}

TEST(ProxyProtocolText, Tcp6GivesTheSource) {
  const ParseResult result =
      parse_whole(from_text("PROXY TCP6 2001:db8::A 2001:DB8::b 0 65535\r\n"));
  EXPECT_TRUE(result.has_source);
  EXPECT_FALSE(result.is_ipv4);
  EXPECT_EQ(result.source_bytes, (std::array<uint8_t, 16>{0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0,
                                                          0, 0, 0, 0, 0, 0x0A}));
  EXPECT_EQ(result.source_port, 0);
}

TEST(ProxyProtocolText, UnknownIsAcceptedAndWhatFollowsItIgnored) {
  EXPECT_FALSE(parse_whole(from_text("PROXY UNKNOWN\r\n")).has_source);
  EXPECT_FALSE(parse_whole(from_text("PROXY UNKNOWN \r\n")).has_source);
  EXPECT_FALSE(parse_whole(from_text("PROXY UNKNOWN ffff:f...f:ffff x 1 \n \r 2\r\n")).has_source);
  expect_bad_line("PROXY UNKNOWNX");
  expect_bad_line("PROXY UNKNOW");
}

TEST(ProxyProtocolText, LongestLineIsAcceptedAndOneByteMoreIsBad) {
  const std::string start = "PROXY UNKNOWN ";
  const std::string longest = start + std::string(107 - 2 - start.size(), 'f') + "\r\n";
  ASSERT_EQ(longest.size(), 107u);
  EXPECT_FALSE(parse_whole(from_text(longest)).has_source);
  const std::string too_long = start + std::string(108 - 2 - start.size(), 'f') + "\r\n";
  expect_bad_after(from_text(too_long), 107);
}

TEST(ProxyProtocolText, LineNotInTheGivenFormIsBad) {
  for (const char* line : {"PROXY ", "PROXY TCP4", "PROXY TCP4 ", "PROXY TCP4 1.2.3.4 5.6.7.8 1",
                           "PROXY TCP4 1.2.3.4 5.6.7.8 1 ", "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 ",
                           "PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3", "PROXY TCP4  1.2.3.4 5.6.7.8 1 2",
                           "PROXY  TCP4 1.2.3.4 5.6.7.8 1 2", "PROXY TCP4 1.2.3.4  5.6.7.8 1 2",
                           "PROXY tcp4 1.2.3.4 5.6.7.8 1 2", "PROXY TCP5 1.2.3.4 5.6.7.8 1 2",
                           "PROXY UDP4 1.2.3.4 5.6.7.8 1 2", "PROXY TCP4 1.2.3.4 5.6.7.8 1\t2"}) {
    expect_bad_line(line);
  }
}

TEST(ProxyProtocolText, AddressNotCanonicalOrOfTheOtherFamilyIsBad) {
  for (const char* line : {"PROXY TCP4 1.2.3 5.6.7.8 1 2", "PROXY TCP4 1.2.3.256 5.6.7.8 1 2",
                           "PROXY TCP4 1.2.3.04 5.6.7.8 1 2", "PROXY TCP4 0x1.2.3.4 5.6.7.8 1 2",
                           "PROXY TCP4 1.2.3.4 5.6.7 1 2", "PROXY TCP4 ::1 ::1 1 2",
                           "PROXY TCP6 1.2.3.4 5.6.7.8 1 2", "PROXY TCP6 ::1 1.2.3.4 1 2",
                           "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2", "PROXY TCP6 1::2::3 ::1 1 2",
                           "PROXY TCP6 fe80::1%eth0 ::1 1 2", "PROXY TCP6 [::1] ::1 1 2"}) {
    expect_bad_line(line);
  }
}

TEST(ProxyProtocolText, NulBehindAnAddressIsBad) {
  using namespace std::string_literals;
  expect_bad_line("PROXY TCP4 1.2.3.4\0x 5.6.7.8 1 2"s);
  expect_bad_line("PROXY TCP4 1.2.3.4 5.6.7.8 1\0 2"s);
}

TEST(ProxyProtocolText, PortNotCanonicalIsBad) {
  for (const char* port : {"", "-1", "+1", "00", "01", "65536", "99999999999", "1x", "0x1"}) {
    expect_bad_line(std::string("PROXY TCP4 1.2.3.4 5.6.7.8 ") + port + " 2");
    expect_bad_line(std::string("PROXY TCP4 1.2.3.4 5.6.7.8 2 ") + port);
  }
}

const char kSignature[] = "0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A";

Bytes binary_header(uint8_t version_command, uint8_t family, const Bytes& rest) {
  return from_hex(kSignature) +
         Bytes{std::byte{version_command}, std::byte{family},
               static_cast<std::byte>(rest.size() >> 8), static_cast<std::byte>(rest.size())} +
         rest;
}

const char kIpv4Block[] = "C0 00 02 01 0A 00 00 01 DC 04 01 BB";

TEST(ProxyProtocolBinary, InetStreamGivesTheSource) {
  const ParseResult result = parse_whole(binary_header(0x21, 0x11, from_hex(kIpv4Block)));
  EXPECT_TRUE(result.has_source);
  EXPECT_TRUE(result.is_ipv4);
  EXPECT_EQ(result.source_bytes, (std::array<uint8_t, 16>{192, 0, 2, 1}));
  EXPECT_EQ(result.source_port, 0xDC04);
}

TEST(ProxyProtocolBinary, Inet6StreamGivesTheSource) {
  const Bytes source = from_hex("20 01 0D B8 00 00 00 00 00 00 00 00 00 00 00 0A");
  const ParseResult result =
      parse_whole(binary_header(0x21, 0x21, source + repeated(16, 0xFF) + from_hex("12 34 56 78")));
  EXPECT_TRUE(result.has_source);
  EXPECT_FALSE(result.is_ipv4);
  EXPECT_TRUE(std::equal(source.begin(), source.end(), result.source_bytes.begin(),
                         [](std::byte a, uint8_t b) { return a == std::byte{b}; }));
  EXPECT_EQ(result.source_port, 0x1234);
}

TEST(ProxyProtocolBinary, ExtensionsBehindTheAddressesAreSkipped) {
  const Bytes extension = from_hex("04 00 02 AA BB");
  const ParseResult result =
      parse_whole(binary_header(0x21, 0x11, from_hex(kIpv4Block) + extension + repeated(300, 0)));
  EXPECT_TRUE(result.has_source);
  EXPECT_EQ(result.source_port, 0xDC04);
}

TEST(ProxyProtocolBinary, LocalKeepsTheSocketsAddressWhateverItsFamily) {
  for (const uint8_t family : {uint8_t{0x00}, uint8_t{0x11}, uint8_t{0x21}, uint8_t{0xFF}}) {
    EXPECT_FALSE(parse_whole(binary_header(0x20, family, {})).has_source);
    EXPECT_FALSE(parse_whole(binary_header(0x20, family, repeated(40, 1))).has_source);
  }
}

TEST(ProxyProtocolBinary, ProxyOfAFamilyWithoutUseHereKeepsTheSocketsAddress) {
  for (const uint8_t family :
       {uint8_t{0x00}, uint8_t{0x01}, uint8_t{0x12}, uint8_t{0x22}, uint8_t{0x31}, uint8_t{0x32}}) {
    EXPECT_FALSE(parse_whole(binary_header(0x21, family, repeated(216, 1))).has_source);
  }
}

TEST(ProxyProtocolBinary, UnassignedFamilyOrTransportIsBadWithItsByte) {
  for (const uint8_t family : {uint8_t{0x13}, uint8_t{0x41}, uint8_t{0xF1}, uint8_t{0x1F}}) {
    expect_bad_after(binary_header(0x21, family, from_hex(kIpv4Block)), 14);
  }
}

TEST(ProxyProtocolBinary, OtherVersionOrCommandIsBadWithItsByte) {
  for (const uint8_t version_command :
       {uint8_t{0x11}, uint8_t{0x31}, uint8_t{0x22}, uint8_t{0x2F}}) {
    expect_bad_after(binary_header(version_command, 0x11, from_hex(kIpv4Block)), 13);
  }
}

TEST(ProxyProtocolBinary, LengthShortOfTheAddressesIsBadWithTheLength) {
  expect_bad_after(binary_header(0x21, 0x11, repeated(11, 0)), 16);
  expect_bad_after(binary_header(0x21, 0x21, repeated(35, 0)), 16);
}

TEST(ProxyProtocolBinary, LongestHeaderIsAcceptedAndOneByteMoreIsBadWithTheLength) {
  EXPECT_TRUE(parse_whole(binary_header(0x21, 0x11, repeated(kHeaderBytesMax - 16, 1))).has_source);
  expect_bad_after(binary_header(0x21, 0x11, repeated(kHeaderBytesMax - 15, 1)), 16);
  expect_bad_after(binary_header(0x20, 0x00, repeated(65535, 1)), 16);
}

}  // namespace
}  // namespace holdfast::proxy_protocol
