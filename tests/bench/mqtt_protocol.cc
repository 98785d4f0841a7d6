#include "tests/bench/mqtt_protocol.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/check.h"

namespace holdfast::bench {
namespace {

constexpr std::byte kConnect{0x10};
constexpr std::byte kConnack{0x20};
constexpr std::array kPingreq{std::byte{0xC0}, std::byte{0x00}};
constexpr std::array kPingresp{std::byte{0xD0}, std::byte{0x00}};
// Protocol name, level 4, the flag "clean session", keep alive 0: off.
constexpr std::array<uint8_t, 10> kConnectHead{0, 4, 'M', 'Q', 'T', 'T', 4, 0x02, 0, 0};
constexpr size_t kConnackBytes = 4;
constexpr size_t kShortLengthMax = 127;  // what one byte of remaining length can say

class MqttProtocol final : public DeviceProtocol {
 public:
  std::string_view alpn() const override { return "mqtt"; }

  size_t encode_hello(std::string_view device_id, uint16_t /*heartbeat_s*/,
                      std::span<std::byte> out) const override {
    const size_t body_bytes = kConnectHead.size() + 2 + device_id.size();
    HF_CHECK(body_bytes <= kShortLengthMax && out.size() >= 2 + body_bytes);
    out[0] = kConnect;
    out[1] = static_cast<std::byte>(body_bytes);
    std::memcpy(&out[2], kConnectHead.data(), kConnectHead.size());
    const size_t id_at = 2 + kConnectHead.size();
    out[id_at] = std::byte{0};
    out[id_at + 1] = static_cast<std::byte>(device_id.size());
    std::memcpy(&out[id_at + 2], device_id.data(), device_id.size());
    return 2 + body_bytes;
  }

  size_t encode_ping(std::span<std::byte> out) const override {
    std::ranges::copy(kPingreq, out.begin());
    return kPingreq.size();
  }

  ServerFrameResult read(std::span<const std::byte> input) const override {
    if (input[0] == kPingresp[0]) {
      if (input.size() < kPingresp.size()) return {};
      return {ServerFrame::kPong, kPingresp.size(), {}};
    }
    if (input[0] != kConnack) return {ServerFrame::kUnexpected, 0, "a packet not expected"};
    if (input.size() < kConnackBytes) return {};
    if (input[3] != std::byte{0}) return {ServerFrame::kUnexpected, 0, "CONNACK refuses"};
    return {ServerFrame::kWelcome, kConnackBytes, {}};
  }
};

}  // namespace

const DeviceProtocol& mqtt_protocol() {
  static const MqttProtocol protocol;
  return protocol;
}

}  // namespace holdfast::bench
