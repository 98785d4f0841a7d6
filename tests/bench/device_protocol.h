#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace holdfast::bench {

// What the frame at the front of the input is to a device.
enum class ServerFrame : uint8_t {
  kIncomplete,  // more bytes are needed
  kWelcome,     // the session has begun
  kPong,        // the answer to the oldest PING that has none
  kPing,        // the server asks whether the device is there
  kEvicted,     // the server closes: the device was silent for too long
  kUnexpected,  // broken, or nothing that a server under test should say
};

struct ServerFrameResult {
  ServerFrame frame = ServerFrame::kIncomplete;
  size_t consumed = 0;  // bytes of the frame; 0 for kIncomplete and kUnexpected
  std::string why;      // set for kUnexpected
};

// What a device says and hears, as bytes. One client speaks each protocol through this, so that
// servers of different protocols are driven by the same system calls.
// Thread: any; it has no state.
class DeviceProtocol {
 public:
  virtual ~DeviceProtocol() = default;

  // What it is called when it is asked for within TLS. Source: RFC 7301.
  virtual std::string_view alpn() const = 0;

  // Each writes one whole frame to the front of `out`, which is large enough, and returns its
  // bytes. heartbeat_s: how long the device may be silent.
  virtual size_t encode_hello(std::string_view device_id, uint16_t heartbeat_s,
                              std::span<std::byte> out) const = 0;
  virtual size_t encode_ping(std::span<std::byte> out) const = 0;

  // Reads one frame from the front of `input`, which is not empty.
  [[nodiscard]] virtual ServerFrameResult read(std::span<const std::byte> input) const = 0;
};

}  // namespace holdfast::bench
