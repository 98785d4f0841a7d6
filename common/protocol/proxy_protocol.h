#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// The header that a balancer puts before a connection's first byte to tell where it came from.
// Source: haproxy's doc/proxy-protocol.txt, versions 1 (text) and 2 (binary).
// Pure: no descriptor, clock, log or allocation.
namespace holdfast::proxy_protocol {

// Version 1 has at most 107 bytes (section 2.1). Version 2 announces its own length; with TLVs
// beyond this it is refused.
inline constexpr size_t kHeaderBytesMax = 1024;

enum class ParseStatus : uint8_t { kHeader, kNeedMore, kBad };

struct ParseResult {
  ParseStatus status = ParseStatus::kNeedMore;
  size_t consumed = 0;      // bytes of the header; 0 unless kHeader
  bool has_source = false;  // false: LOCAL or UNKNOWN, keep the socket's own address
  bool is_ipv4 = false;
  std::array<uint8_t, 16> source_bytes{};  // IPv4 in the first four
  uint16_t source_port = 0;
};

[[nodiscard]] ParseResult parse(std::span<const std::byte> input);

}  // namespace holdfast::proxy_protocol
