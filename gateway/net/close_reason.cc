#include "gateway/net/close_reason.h"

#include <array>

namespace holdfast {
namespace {

struct CloseTraits {
  std::string_view text;
  std::optional<GoawayCode> code;
  bool lingers;
};

// In the order of the enum.
constexpr std::array<CloseTraits, kCloseReasons> kCloseTraits = {{
    {"peer_closed", std::nullopt, false},
    {"peer_reset", std::nullopt, false},
    {"goodbye", std::nullopt, false},
    {"unknown_protocol", GoawayCode::kProtocolError, true},
    {"bad_proxy_header", std::nullopt, false},
    {"tls_required", GoawayCode::kProtocolError, true},
    {"tls_failed", std::nullopt, true},
    {"tls_timeout", std::nullopt, false},
    {"tls_bad_record", std::nullopt, true},
    {"unauthorized", GoawayCode::kUnauthorized, true},
    {"protocol_error", GoawayCode::kProtocolError, true},
    {"frame_too_large", GoawayCode::kFrameTooLarge, true},
    {"hello_timeout", GoawayCode::kNoHello, false},
    {"heartbeat_timeout", GoawayCode::kHeartbeatTimeout, false},
    {"taken_over", GoawayCode::kTakenOver, true},
    {"shed_idle", GoawayCode::kShedIdle, false},
    {"overloaded", GoawayCode::kOverloaded, false},
    {"address_limit", GoawayCode::kRateLimited, true},
    {"draining", GoawayCode::kDraining, true},
    {"slow_consumer", GoawayCode::kSlowConsumer, false},
    {"write_stall", GoawayCode::kSlowConsumer, false},
    {"kicked", GoawayCode::kKicked, true},
    {"shutdown", GoawayCode::kDraining, false},
}};

struct RefuseTraits {
  std::string_view text;
  GoawayCode code;
};

constexpr std::array<RefuseTraits, kRefuseReasons> kRefuseTraits = {{
    {"connections_max", GoawayCode::kOverloaded},
    {"memory_max", GoawayCode::kOverloaded},
    {"per_address_max", GoawayCode::kRateLimited},
    {"accept_rate", GoawayCode::kRateLimited},
    {"subnet_rate", GoawayCode::kRateLimited},
    {"descriptors", GoawayCode::kOverloaded},
    {"draining", GoawayCode::kDraining},
}};

}  // namespace

std::string_view to_text(CloseReason reason) {
  return kCloseTraits[static_cast<size_t>(reason)].text;
}

std::optional<GoawayCode> goaway_code(CloseReason reason) {
  return kCloseTraits[static_cast<size_t>(reason)].code;
}

bool lingers(CloseReason reason) { return kCloseTraits[static_cast<size_t>(reason)].lingers; }

std::string_view to_text(RefuseReason reason) {
  return kRefuseTraits[static_cast<size_t>(reason)].text;
}

GoawayCode goaway_code(RefuseReason reason) {
  return kRefuseTraits[static_cast<size_t>(reason)].code;
}

}  // namespace holdfast
