#include "tests/bench/http_protocol.h"

#include <cstring>
#include <string>

#include "common/check.h"

namespace holdfast::bench {
namespace {

constexpr std::string_view kHello = "GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n";
constexpr std::string_view kPing = "GET /ping HTTP/1.1\r\nHost: bench\r\n\r\n";
constexpr std::string_view kWelcomeLine = "HTTP/1.1 202 ";
constexpr std::string_view kPongLine = "HTTP/1.1 200 ";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr std::string_view kNoBody = "\r\nContent-Length: 0\r\n";

size_t copy(std::string_view text, std::span<std::byte> out) {
  HF_CHECK(out.size() >= text.size());
  std::memcpy(out.data(), text.data(), text.size());
  return text.size();
}

class HttpProtocol final : public DeviceProtocol {
 public:
  std::string_view alpn() const override { return "http/1.1"; }

  size_t encode_hello(std::string_view /*device_id*/, uint16_t /*heartbeat_s*/,
                      std::span<std::byte> out) const override {
    return copy(kHello, out);
  }

  size_t encode_ping(std::span<std::byte> out) const override { return copy(kPing, out); }

  ServerFrameResult read(std::span<const std::byte> input) const override {
    const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
    const size_t end = text.find(kHeadEnd);
    if (end == std::string_view::npos) return {};
    const std::string_view head = text.substr(0, end + kHeadEnd.size());
    if (head.find(kNoBody) == std::string_view::npos) {
      return {ServerFrame::kUnexpected, 0, "an answer with a body"};
    }
    if (head.starts_with(kWelcomeLine)) return {ServerFrame::kWelcome, head.size(), {}};
    if (head.starts_with(kPongLine)) return {ServerFrame::kPong, head.size(), {}};
    return {ServerFrame::kUnexpected, 0, std::string(head.substr(0, head.find('\r')))};
  }
};

}  // namespace

const DeviceProtocol& http_protocol() {
  static const HttpProtocol protocol;
  return protocol;
}

}  // namespace holdfast::bench
