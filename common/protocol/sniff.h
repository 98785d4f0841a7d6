#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace holdfast {

enum class SniffedProtocol : uint8_t {
  kNeedMore,  // too few bytes to tell
  kNative,
  kTls,   // a TLS handshake record (RFC 8446, 5.1)
  kHttp,  // an HTTP/1 request line, so perhaps WebSocket
  kMqtt,  // a CONNECT packet
  kUnknown,
};

// Bytes after which sniff() always knows: an MQTT 3.1 head, length and protocol name.
inline constexpr size_t kSniffBytesMax = 13;

// Tells which protocol a connection speaks by its first bytes, reading at most kSniffBytesMax of
// them. Anything that can still become a native frame is kNative, whether or not it is a HELLO: its
// codec gives the better error.
[[nodiscard]] SniffedProtocol sniff(std::span<const std::byte> input);

}  // namespace holdfast
