#include "common/address.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <set>
#include <string>

namespace holdfast {
namespace {

Address parsed(std::string_view text) {
  Result<Address> result = Address::parse(text);
  EXPECT_TRUE(result.is_ok()) << text;
  return result.is_ok() ? result.value() : Address{};
}

Address parsed_host(std::string_view text) {
  Result<Address> result = Address::parse_host(text);
  EXPECT_TRUE(result.is_ok()) << text;
  return result.is_ok() ? result.value() : Address{};
}

TEST(Address, TextIsAsItWasParsed) {
  for (const char* text :
       {"127.0.0.1:7000", "0.0.0.0:0", "[::1]:65535", "[2001:db8::1]:1", "[::]:0"}) {
    EXPECT_EQ(parsed(text).text(), text);
  }
}

TEST(Address, DefaultOneIsTheUnspecifiedAddress) { EXPECT_EQ(Address{}.text(), "[::]:0"); }

TEST(Address, TextThatIsNoAddressIsRefusedAndNamed) {
  using namespace std::string_literals;
  for (const std::string& text :
       {""s, ":"s, "127.0.0.1"s, "127.0.0.1:"s, "127.0.0.1:65536"s, "127.0.0.1:-1"s,
        "127.0.0.1:+1"s, "127.0.0.1: 1"s, "127.0.0.1:1x"s, "127.0.0:1"s, "::1:7000"s,
        "[127.0.0.1]:1"s, "[::1:1"s, "::1]:1"s, "[]:1"s, "localhost:7000"s, "[fe80::1%lo]:1"s,
        "127.0.0.1\0x:1"s, ":7000"s}) {
    const Result<Address> result = Address::parse(text);
    ASSERT_FALSE(result.is_ok()) << text;
    EXPECT_NE(result.status().message().find("'" + text + "'"), std::string::npos);
  }
}

TEST(Address, HostIsReadWithoutAPort) {
  EXPECT_EQ(parsed_host("10.1.2.3").text(), "10.1.2.3:0");
  EXPECT_EQ(parsed_host("2001:db8::1").host_text(), "2001:db8::1");
  EXPECT_FALSE(Address::parse_host("10.1.2.3:80").is_ok());
  EXPECT_FALSE(Address::parse_host("").is_ok());
  EXPECT_FALSE(Address::parse_host(std::string_view("10.1.2.3\0x", 10)).is_ok());
}

TEST(Address, MappedIpv4IsTheSameHostAsIpv4) {
  EXPECT_EQ(parsed("[::ffff:10.0.0.1]:80"), parsed("10.0.0.1:80"));
  EXPECT_TRUE(parsed("[::ffff:10.0.0.1]:80").is_ipv4());
  EXPECT_EQ(Address::from_ipv4({10, 0, 0, 1}, 80), parsed("10.0.0.1:80"));
  EXPECT_FALSE(parsed("[::10.0.0.1]:80").is_ipv4());
}

TEST(Address, NativeFormComesBackTheSame) {
  for (const char* text : {"192.0.2.7:7000", "[2001:db8::7]:443", "[::]:1"}) {
    sockaddr_storage native{};
    const uint32_t native_bytes = parsed(text).to_sockaddr(native);
    const bool is_ipv4 = native.ss_family == AF_INET;
    EXPECT_EQ(native_bytes, is_ipv4 ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    EXPECT_EQ(is_ipv4, parsed(text).is_ipv4());
    EXPECT_EQ(Address::from_sockaddr(reinterpret_cast<const sockaddr&>(native)).text(), text);
  }
}

TEST(Address, NativeFormOfAnotherFamilyIsUnspecified) {
  sockaddr_storage native{};
  native.ss_family = AF_UNIX;
  EXPECT_EQ(Address::from_sockaddr(reinterpret_cast<const sockaddr&>(native)), Address{});
}

TEST(Address, LoopbackIsAllOf127AndOneAddressOfIpv6) {
  EXPECT_TRUE(parsed_host("127.0.0.1").is_loopback());
  EXPECT_TRUE(parsed_host("127.255.0.9").is_loopback());
  EXPECT_TRUE(parsed_host("::1").is_loopback());
  EXPECT_TRUE(parsed_host("::ffff:127.0.0.1").is_loopback());
  EXPECT_FALSE(parsed_host("128.0.0.1").is_loopback());
  EXPECT_FALSE(parsed_host("::").is_loopback());
  EXPECT_FALSE(parsed_host("::2").is_loopback());
  EXPECT_FALSE(parsed_host("0.0.0.0").is_loopback());
}

TEST(Address, SubnetIsA24OrA64) {
  EXPECT_EQ(parsed_host("10.1.2.3").subnet_key(), parsed_host("10.1.2.250").subnet_key());
  EXPECT_EQ(parsed_host("2001:db8:1:2::1").subnet_key(),
            parsed_host("2001:db8:1:2:ffff::9").subnet_key());
  const std::set<uint64_t> different = {
      parsed_host("10.1.2.3").subnet_key(),        parsed_host("10.1.3.3").subnet_key(),
      parsed_host("11.1.2.3").subnet_key(),        parsed_host("2001:db8:1:2::1").subnet_key(),
      parsed_host("2001:db8:1:3::1").subnet_key(), parsed_host("::1").subnet_key()};
  EXPECT_EQ(different.size(), 6u);
}

TEST(Address, PortIsChangedAlone) {
  const Address address = parsed("[2001:db8::1]:80").with_port(443);
  EXPECT_EQ(address.text(), "[2001:db8::1]:443");
  EXPECT_EQ(address.port(), 443);
}

}  // namespace
}  // namespace holdfast
