#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "common/protocol/frame.h"
#include "common/protocol/native.h"

// The bytes that clients put on a socket and take off it. All that knows how frames are written is
// here: another protocol is another set of these functions.
namespace holdfast::flood::wire {

// Room for any frame that a client sends; a HELLO is the longest.
inline constexpr size_t kFrameBytesMax = 256;

// Each writes one frame to the front of `out` (kFrameBytesMax at least) and returns its bytes.
size_t write_hello(std::string_view device_id, uint16_t heartbeat_s, std::span<std::byte> out);
size_t write_ping(uint64_t planned_us, std::span<std::byte> out);
size_t write_pong(std::span<const std::byte> echo, std::span<std::byte> out);
size_t write_ack(uint32_t id, std::span<std::byte> out);
size_t write_goodbye(std::span<std::byte> out);
// The beginning of a PING that never gets its body.
size_t write_half_ping(std::span<std::byte> out);
// The longest PING, as a slow reader sends many of.
size_t write_long_ping(std::span<std::byte> out);

// The planned time that a PING carried, from its PONG's echo; false when it is none of ours.
bool read_echo(std::span<const std::byte> echo, uint64_t& planned_us);

// Reads one frame of the server's from the front of `input`; as native::decode_frame.
native::DecodeResult read_frame(std::span<const std::byte> input);

}  // namespace holdfast::flood::wire
