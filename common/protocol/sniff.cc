#include "common/protocol/sniff.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/protocol/native.h"

namespace holdfast {
namespace {

constexpr uint8_t kNativeHello = 0xA0;
constexpr uint8_t kTlsHandshake = 0x16;
constexpr uint8_t kMqttConnect = 0x10;
constexpr size_t kMqttLengthBytesMax = 4;
// Protocol name, level, flags, keep-alive and an empty client id (MQTT 3.1.1, section 3.1).
constexpr uint32_t kMqttConnectBodyBytesMin = 12;

// How the bytes so far stand to one protocol.
enum class Match : uint8_t { kNo, kPartly, kYes };

// `input` against a text that it must begin with.
Match match_prefix(std::string_view input, std::string_view wanted) {
  if (input.starts_with(wanted)) return Match::kYes;
  return wanted.starts_with(input) ? Match::kPartly : Match::kNo;
}

// The best of several: one that matches wins, else one that still may.
template <size_t kCount>
Match match_any(std::string_view input, const std::array<std::string_view, kCount>& wanted) {
  Match best = Match::kNo;
  for (const std::string_view one : wanted) best = std::max(best, match_prefix(input, one));
  return best;
}

Match match_tls(std::string_view input) {
  if (static_cast<uint8_t>(input[0]) != kTlsHandshake) return Match::kNo;
  if (input.size() >= 2 && input[1] != 3) return Match::kNo;
  if (input.size() < 3) return Match::kPartly;
  return static_cast<uint8_t>(input[2]) <= 4 ? Match::kYes : Match::kNo;
}

Match match_http(std::string_view input) {
  static constexpr std::array<std::string_view, 9> kMethods = {
      "GET ", "POST ", "PUT ", "HEAD ", "DELETE ", "OPTIONS ", "CONNECT ", "PATCH ", "PRI "};
  return match_any(input, kMethods);
}

// The names of MQTT 3.1.1 and 5, and of 3.1, each as a two-byte length and its text.
Match match_mqtt_name(std::string_view input) {
  using namespace std::string_view_literals;
  static constexpr std::array<std::string_view, 2> kNames = {"\0\4MQTT"sv, "\0\6MQIsdp"sv};
  return match_any(input, kNames);
}

Match match_mqtt(std::string_view input) {
  if (static_cast<uint8_t>(input[0]) != kMqttConnect) return Match::kNo;
  uint32_t body_bytes = 0;
  for (size_t i = 0; i < kMqttLengthBytesMax; ++i) {
    if (1 + i == input.size()) return Match::kPartly;
    const auto group = static_cast<uint8_t>(input[1 + i]);
    body_bytes |= static_cast<uint32_t>(group & 0x7F) << (7 * i);
    if ((group & 0x80) != 0) continue;
    if (body_bytes < kMqttConnectBodyBytesMin) return Match::kNo;  // a PING, or no CONNECT
    return match_mqtt_name(input.substr(2 + i));
  }
  return Match::kNo;
}

}  // namespace

SniffedProtocol sniff(std::span<const std::byte> input) {
  if (input.empty()) return SniffedProtocol::kNeedMore;
  if (input[0] == std::byte{kNativeHello}) return SniffedProtocol::kNative;
  const std::span<const std::byte> seen = input.first(std::min(input.size(), kSniffBytesMax));
  const std::string_view text(reinterpret_cast<const char*>(seen.data()), seen.size());
  const Match tls = match_tls(text);
  if (tls == Match::kYes) return SniffedProtocol::kTls;
  const Match http = match_http(text);
  if (http == Match::kYes) return SniffedProtocol::kHttp;
  const Match mqtt = match_mqtt(text);
  if (mqtt == Match::kYes) return SniffedProtocol::kMqtt;
  if (std::max({tls, http, mqtt}) == Match::kPartly) return SniffedProtocol::kNeedMore;
  return native::is_known_head(input[0]) ? SniffedProtocol::kNative : SniffedProtocol::kUnknown;
}

}  // namespace holdfast
