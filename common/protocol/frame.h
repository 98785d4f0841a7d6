#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

// What a device and the server say to each other, apart from how a codec writes it. Views point
// into the bytes they were decoded from and live as long as those.
namespace holdfast {

inline constexpr size_t kDeviceIdBytesMax = 64;
inline constexpr size_t kPingBytesMax = 16;

struct Attributes {
  std::string_view user;
  std::string_view app;
  std::string_view os;
  std::string_view net;
};

struct Hello {
  uint16_t heartbeat_s = 0;  // 0: the server decides
  std::string_view device_id;
  std::string_view token;
  Attributes attributes;
};

struct Welcome {
  bool took_over = false;
  uint16_t heartbeat_s = 0;
  uint16_t timeout_s = 0;
  uint64_t session_id = 0;
  uint64_t server_time_ms = 0;  // since 1970
};

struct Ping {
  std::span<const std::byte> echo;  // 0 to kPingBytesMax bytes
};

struct Pong {
  std::optional<uint16_t> new_heartbeat_s;  // from the server only
  std::span<const std::byte> echo;
};

struct Message {
  std::optional<uint32_t> ack_id;  // an ACK is wanted
  std::string_view topic;
  std::span<const std::byte> payload;
};

enum class AckStatus : uint8_t {
  kOk = 0,
  kRejected = 1,
  kUnavailable = 2,
  kTooLarge = 3,
  kRateLimited = 4,
};

struct Ack {
  uint32_t id = 0;
  AckStatus status = AckStatus::kOk;
};

// The filters of a SUBSCRIBE or UNSUBSCRIBE: one or more str8, checked when the frame was decoded.
class FilterList final {
 public:
  FilterList() = default;
  explicit FilterList(std::span<const std::byte> encoded) : encoded_(encoded) {}

  // Takes the first filter off the list; nothing once it is empty.
  std::optional<std::string_view> pop_front() {
    if (encoded_.empty()) return std::nullopt;
    const auto length = static_cast<size_t>(encoded_[0]);
    const std::string_view filter(reinterpret_cast<const char*>(encoded_.data()) + 1, length);
    encoded_ = encoded_.subspan(1 + length);
    return filter;
  }

 private:
  std::span<const std::byte> encoded_;
};

struct Subscribe {
  uint32_t id = 0;
  FilterList filters;
};

struct Unsubscribe {
  uint32_t id = 0;
  FilterList filters;
};

// The codes of a GOAWAY, which are WebSocket close codes too.
enum class GoawayCode : uint16_t {
  kGoodbye = 0,
  kProtocolError = 4000,
  kUnauthorized = 4001,
  kTakenOver = 4002,
  kHeartbeatTimeout = 4003,
  kShedIdle = 4004,
  kOverloaded = 4005,
  kDraining = 4006,
  kSlowConsumer = 4007,
  kKicked = 4008,
  kNoHello = 4009,
  kFrameTooLarge = 4010,
  kRateLimited = 4011,
};

struct Goaway {
  GoawayCode code = GoawayCode::kGoodbye;
  uint32_t retry_after_ms = 0;
  std::string_view reason;
  std::string_view other_address;
};

using Frame =
    std::variant<Hello, Welcome, Ping, Pong, Message, Ack, Subscribe, Unsubscribe, Goaway>;

}  // namespace holdfast
