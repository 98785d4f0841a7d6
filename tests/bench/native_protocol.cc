#include "tests/bench/native_protocol.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <variant>

#include "common/protocol/native.h"

namespace holdfast::bench {
namespace {

constexpr native::FrameLimits kLimits{
    .body_bytes_max = 1024, .sender = native::Sender::kServer, .before_welcome = false};
constexpr std::array<std::byte, 8> kEcho{std::byte{'h'}, std::byte{'o'}, std::byte{'l'},
                                         std::byte{'d'}, std::byte{'f'}, std::byte{'a'},
                                         std::byte{'s'}, std::byte{'t'}};

ServerFrameResult unexpected(std::string why) {
  return {ServerFrame::kUnexpected, 0, std::move(why)};
}

ServerFrameResult meaning_of(const Frame& frame, size_t bytes) {
  if (const auto* pong = std::get_if<Pong>(&frame)) {
    if (!std::ranges::equal(pong->echo, kEcho)) return unexpected("a PONG with other bytes");
    return {ServerFrame::kPong, bytes, {}};
  }
  if (std::holds_alternative<Welcome>(frame)) return {ServerFrame::kWelcome, bytes, {}};
  if (std::holds_alternative<Ping>(frame)) return {ServerFrame::kPing, bytes, {}};
  if (const auto* goaway = std::get_if<Goaway>(&frame)) {
    if (goaway->code == GoawayCode::kHeartbeatTimeout) return {ServerFrame::kEvicted, bytes, {}};
    return unexpected("GOAWAY " + std::to_string(static_cast<int>(goaway->code)) + " " +
                      std::string(goaway->reason));
  }
  return unexpected("a frame that was not expected");
}

class NativeProtocol final : public DeviceProtocol {
 public:
  std::string_view alpn() const override { return "holdfast/1"; }

  size_t encode_hello(std::string_view device_id, uint16_t heartbeat_s,
                      std::span<std::byte> out) const override {
    return native::encode(
        Hello{.heartbeat_s = heartbeat_s, .device_id = device_id, .token = {}, .attributes = {}},
        out);
  }

  size_t encode_ping(std::span<std::byte> out) const override {
    return native::encode(Ping{kEcho}, out);
  }

  ServerFrameResult read(std::span<const std::byte> input) const override {
    const native::DecodeResult result = native::decode_frame(input, kLimits);
    if (result.status == native::DecodeStatus::kNeedMore) return {};
    if (result.status == native::DecodeStatus::kBad) {
      return unexpected("bad frame: " + std::string(to_text(result.error)));
    }
    return meaning_of(result.frame, result.consumed);
  }
};

}  // namespace

const DeviceProtocol& native_protocol() {
  static const NativeProtocol protocol;
  return protocol;
}

}  // namespace holdfast::bench
