#include "tools/conn_flood/sources.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::flood {
namespace {

std::vector<std::string> hosts(std::string_view text) {
  const Result<std::vector<Address>> sources = parse_sources(text);
  EXPECT_TRUE(sources.is_ok()) << sources.status().message();
  std::vector<std::string> found;
  if (!sources.is_ok()) return found;
  for (const Address& source : sources.value()) found.push_back(source.host_text());
  return found;
}

std::string refusal(std::string_view text) {
  const Result<std::vector<Address>> sources = parse_sources(text);
  EXPECT_FALSE(sources.is_ok()) << text;
  return sources.is_ok() ? "" : sources.status().message();
}

TEST(Sources, ReadsAddressesAndRanges) {
  EXPECT_EQ(hosts("10.0.0.1"), std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(hosts("127.0.0.2-127.0.0.4,10.0.0.1"),
            (std::vector<std::string>{"127.0.0.2", "127.0.0.3", "127.0.0.4", "10.0.0.1"}));
  EXPECT_EQ(hosts("127.0.0.2-127.0.0.60").size(), 59u);
  EXPECT_EQ(hosts("127.0.0.2-127.0.0.2").size(), 1u);
}

TEST(Sources, RangeCarriesIntoTheNextByte) {
  EXPECT_EQ(hosts("10.0.0.254-10.0.1.1"),
            (std::vector<std::string>{"10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"}));
  EXPECT_EQ(hosts("255.255.255.254-255.255.255.255").size(), 2u);
}

TEST(Sources, ReadsIpv6) {
  EXPECT_EQ(hosts("2001:db8::1-2001:db8::3,::1"),
            (std::vector<std::string>{"2001:db8::1", "2001:db8::2", "2001:db8::3", "::1"}));
}

TEST(Sources, RefusesWhatIsNoAddress) {
  for (const char* text : {"", ",", "127.0.0.1,", "localhost", "127.0.0.1:80", "127.0.0.2-",
                           "-127.0.0.2", "127.0.0.2-3", "127.0.0.2 ,127.0.0.3"}) {
    EXPECT_NE(refusal(text), "") << text;
  }
}

TEST(Sources, RefusesRangesThatRunBackwardsOrTooFar) {
  EXPECT_NE(refusal("127.0.0.9-127.0.0.2").find("above"), std::string::npos);
  EXPECT_NE(refusal("127.0.0.0-127.1.0.0").find("more than"), std::string::npos);
  EXPECT_NE(refusal("2001:db8::1-2001:db9::1").find("too far apart"), std::string::npos);
  EXPECT_NE(refusal("127.0.0.1-::1").find("too far apart"), std::string::npos);
  EXPECT_EQ(hosts("127.0.0.0-127.0.255.255").size(), kSourcesMax);
}

TEST(Sources, RefusesAnAddressNamedTwice) {
  EXPECT_NE(refusal("127.0.0.3,127.0.0.2-127.0.0.4").find("twice"), std::string::npos);
}

Address address(const char* text) { return Address::parse(text).value(); }

TEST(Sources, DefaultSpreadsOnlyManyConnectionsToLoopback) {
  const std::vector<Address> loopback = {address("127.0.0.1:7000")};
  EXPECT_TRUE(default_sources(loopback, 2000).empty());
  EXPECT_EQ(default_sources(loopback, 2001).size(), 2u);
  EXPECT_EQ(default_sources(loopback, 19'000).size(), 10u);
  EXPECT_EQ(default_sources(loopback, 19'000)[0].host_text(), "127.0.0.2");
  EXPECT_EQ(default_sources(loopback, 1'000'000).size(), 500u);
  EXPECT_TRUE(default_sources(std::vector{address("10.0.0.1:7000")}, 19'000).empty());
  EXPECT_TRUE(default_sources(std::vector{address("[::1]:7000")}, 19'000).empty());
  const std::vector<Address> mixed = {address("127.0.0.1:7000"), address("10.0.0.1:7000")};
  EXPECT_TRUE(default_sources(mixed, 19'000).empty());
}

TEST(Sources, PortsAreCountedForEachPairOfSourceAndTarget) {
  const PortRange ports{10'000, 19'999};
  EXPECT_TRUE(check_ports(10'000, 0, 1, ports).is_ok());
  EXPECT_FALSE(check_ports(10'001, 0, 1, ports).is_ok());
  EXPECT_TRUE(check_ports(60'000, 2, 3, ports).is_ok());
  const Status status = check_ports(60'001, 2, 3, ports);
  EXPECT_FALSE(status.is_ok());
  EXPECT_NE(status.message().find("--sources"), std::string::npos);
  EXPECT_NE(status.message().find("ip_local_port_range"), std::string::npos);
}

}  // namespace
}  // namespace holdfast::flood
