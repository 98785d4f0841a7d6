#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace holdfast {
namespace {

constexpr std::array<uint8_t, 12> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

Status bad_address(std::string_view text) {
  return Status::error("'" + std::string(text) +
                       "' is not an address: write 127.0.0.1:7000 or [::1]:7000");
}

Status not_a_host(const std::string& text) {
  return Status::error("'" + text + "' is not an IPv4 or IPv6 address");
}

}  // namespace

Address Address::from_ipv4(std::array<uint8_t, 4> bytes, uint16_t port) {
  Address address;
  std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.bytes_.begin());
  std::copy(bytes.begin(), bytes.end(), address.bytes_.begin() + kMappedPrefix.size());
  address.port_ = port;
  return address;
}

Address Address::from_ipv6(const std::array<uint8_t, 16>& bytes, uint16_t port) {
  Address address;
  address.bytes_ = bytes;
  address.port_ = port;
  return address;
}

Address Address::from_sockaddr(const sockaddr& native) {
  if (native.sa_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &native, sizeof v4);
    std::array<uint8_t, 4> bytes{};
    std::memcpy(bytes.data(), &v4.sin_addr, bytes.size());
    return from_ipv4(bytes, ntohs(v4.sin_port));
  }
  if (native.sa_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &native, sizeof v6);
    std::array<uint8_t, 16> bytes{};
    std::memcpy(bytes.data(), &v6.sin6_addr, bytes.size());
    return from_ipv6(bytes, ntohs(v6.sin6_port));
  }
  return Address{};
}

Result<Address> Address::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_address(text);
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  uint16_t port = 0;
  const auto [end, failure] =
      std::from_chars(port_text.data(), port_text.data() + port_text.size(), port);
  if (failure != std::errc{} || end != port_text.data() + port_text.size()) {
    return bad_address(text);
  }
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos)) return bad_address(text);
  Result<Address> parsed = parse_host(host);
  if (!parsed.is_ok()) return bad_address(text);
  return parsed.value().with_port(port);
}

Result<Address> Address::parse_host(std::string_view text) {
  const std::string terminated(text);
  // inet_pton() would read no further than a NUL.
  if (text.find('\0') != std::string_view::npos) return not_a_host(terminated);
  std::array<uint8_t, 4> v4{};
  if (inet_pton(AF_INET, terminated.c_str(), v4.data()) == 1) return from_ipv4(v4, 0);
  std::array<uint8_t, 16> v6{};
  if (inet_pton(AF_INET6, terminated.c_str(), v6.data()) == 1) return from_ipv6(v6, 0);
  return not_a_host(terminated);
}

bool Address::is_ipv4() const {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(), bytes_.begin());
}

bool Address::is_loopback() const {
  if (is_ipv4()) return bytes_[12] == 127;
  return std::all_of(bytes_.begin(), bytes_.end() - 1, [](uint8_t b) { return b == 0; }) &&
         bytes_[15] == 1;
}

Address Address::with_port(uint16_t port) const { return from_ipv6(bytes_, port); }

uint64_t Address::subnet_key() const {
  // An IPv4 /24 is FF FF and three bytes, so below 2^40; global IPv6 prefixes begin at 2^61. They
  // never meet.
  const size_t first = is_ipv4() ? 10 : 0;
  const size_t length = is_ipv4() ? 5 : 8;
  uint64_t key = 0;
  for (size_t i = 0; i < length; ++i) key = key << 8 | bytes_[first + i];
  return key;
}

uint32_t Address::to_sockaddr(sockaddr_storage& native) const {
  std::memset(&native, 0, sizeof native);
  if (is_ipv4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port_);
    std::memcpy(&v4.sin_addr, bytes_.data() + kMappedPrefix.size(), sizeof v4.sin_addr);
    std::memcpy(&native, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(port_);
  std::memcpy(&v6.sin6_addr, bytes_.data(), bytes_.size());
  std::memcpy(&native, &v6, sizeof v6);
  return sizeof v6;
}

std::string Address::host_text() const {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (is_ipv4()) {
    inet_ntop(AF_INET, bytes_.data() + kMappedPrefix.size(), text.data(), text.size());
  } else {
    inet_ntop(AF_INET6, bytes_.data(), text.data(), text.size());
  }
  return text.data();
}

std::string Address::text() const {
  const std::string host = host_text();
  return (is_ipv4() ? host : "[" + host + "]") + ":" + std::to_string(port_);
}

}  // namespace holdfast
