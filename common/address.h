#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/status.h"

struct sockaddr;
struct sockaddr_storage;

namespace holdfast {

// An internet address and port in 18 bytes. IPv4 is kept as IPv4-mapped IPv6 (RFC 4291, 2.5.5.2),
// so that one host is one value whichever socket it came in by.
class Address final {
 public:
  Address() = default;  // [::]:0
  static Address from_ipv4(std::array<uint8_t, 4> bytes, uint16_t port);
  static Address from_ipv6(const std::array<uint8_t, 16>& bytes, uint16_t port);
  // AF_INET or AF_INET6; anything else gives [::]:0.
  static Address from_sockaddr(const sockaddr& native);
  // "127.0.0.1:7000", "[::1]:7000". No names: a gateway must not wait for DNS to start.
  static Result<Address> parse(std::string_view text);
  // "10.1.2.3" or "2001:db8::1", without a port.
  static Result<Address> parse_host(std::string_view text);

  bool is_ipv4() const;
  bool is_loopback() const;
  uint16_t port() const { return port_; }
  Address with_port(uint16_t port) const;
  // The host's bytes; IPv4 in the last four.
  const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  // The first 64 bits of an IPv6 address, or an IPv4 address's /24, as one number of its own.
  uint64_t subnet_key() const;

  // Fills `native` for bind() or connect() and returns its length. IPv4 becomes AF_INET.
  uint32_t to_sockaddr(sockaddr_storage& native) const;
  std::string host_text() const;
  std::string text() const;  // as parse() reads it

  bool operator==(const Address&) const = default;
  auto operator<=>(const Address&) const = default;

 private:
  std::array<uint8_t, 16> bytes_{};
  uint16_t port_ = 0;
};

static_assert(sizeof(Address) == 18);

}  // namespace holdfast
