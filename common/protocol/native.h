#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/protocol/frame.h"

// Holdfast's native protocol, version 1, as bytes. Source: docs/protocol.md.
// Pure functions: no descriptor, clock, log or allocation.
namespace holdfast::native {

// A frame's head is one byte and its length at most four.
inline constexpr size_t kHeadBytesMax = 5;
// The longest frame this server writes that carries no payload: a GOAWAY with two full str8.
inline constexpr size_t kControlFrameBytesMax = kHeadBytesMax + 6 + 256 + 256;
// The bytes that a HELLO may have before the peer is known.
inline constexpr uint32_t kHelloBodyBytesMax = 1024;

enum class Sender : uint8_t { kDevice, kServer };

// What the frames being read are held to.
struct FrameLimits {
  uint32_t body_bytes_max = 65536;
  Sender sender = Sender::kDevice;
  // Nothing but HELLO from a device, WELCOME or GOAWAY from the server; kHelloBodyBytesMax at most.
  bool before_welcome = false;
};

enum class DecodeStatus : uint8_t { kFrame, kNeedMore, kBad };

enum class DecodeError : uint8_t {
  kNone,
  kUnknownType,  // no such type, or not one that this sender sends
  kUnknownFlag,
  kOutOfOrder,     // not one that may come before WELCOME
  kBadLength,      // longer than four bytes, or not in the shortest form
  kFrameTooLarge,  // over FrameLimits::body_bytes_max, or kHelloBodyBytesMax before WELCOME
  kBadMagic,
  kMalformedBody,
};

std::string_view to_text(DecodeError error);

struct DecodeResult {
  DecodeStatus status = DecodeStatus::kNeedMore;
  DecodeError error = DecodeError::kNone;
  size_t consumed = 0;  // bytes of the frame; 0 unless kFrame
  Frame frame;          // set when kFrame
};

// Some sender sends a type with such a head, flags included: what sniffing needs to know.
[[nodiscard]] bool is_known_head(std::byte head);

// Reads one frame from the front of `input`. Never looks past it, allocates nothing.
// kNeedMore: call again with more bytes behind these. kBad: `error` says why; close the connection.
// A fault is told as soon as the bytes that show it are there: a wrong type with the first byte, a
// length over the limit or beyond what its type can have with the length's last, a wrong magic with
// its first wrong byte. So what is kNeedMore may be kept: it is a possible frame within the limits.
[[nodiscard]] DecodeResult decode_frame(std::span<const std::byte> input,
                                        const FrameLimits& limits);

// Each writes one whole frame to the front of `out` and returns its bytes, or 0 when it does not
// fit (nothing was written then). Text longer than its field allows is cut to the whole characters
// within 255 bytes (GOAWAY) or must not be passed (elsewhere: checked). All text is UTF-8; an empty
// attribute is left out.
[[nodiscard]] size_t encode(const Hello& hello, std::span<std::byte> out);
[[nodiscard]] size_t encode(const Welcome& welcome, std::span<std::byte> out);
[[nodiscard]] size_t encode(const Ping& ping, std::span<std::byte> out);
[[nodiscard]] size_t encode(const Pong& pong, std::span<std::byte> out);
[[nodiscard]] size_t encode(const Message& message, std::span<std::byte> out);
[[nodiscard]] size_t encode(const Ack& ack, std::span<std::byte> out);
[[nodiscard]] size_t encode(const Goaway& goaway, std::span<std::byte> out);

// True for 1 to 64 characters of A-Z a-z 0-9 . _ : -
[[nodiscard]] bool is_valid_device_id(std::string_view id);

}  // namespace holdfast::native
