#include "gateway/session/liveness.h"

#include <algorithm>

namespace holdfast {
namespace {

// Moments are cut down to whole milliseconds; one more keeps a deadline from coming early by the
// part that was cut.
constexpr uint32_t kRoundingMs = 1;

WrappingMs evict_moment(const HotRecord& record) {
  return record.last_activity.plus_ms(record.timeout_ms() + kRoundingMs);
}

WrappingMs ping_moment(const HotRecord& record, const LivenessSettings& settings) {
  return record.last_activity.plus_ms(record.heartbeat_s * 1000u + settings.grace_ms + kRoundingMs);
}

WrappingMs stall_moment(WrappingMs output_moved, const LivenessSettings& settings) {
  return output_moved.plus_ms(settings.write_stall_ms + kRoundingMs);
}

WrappingMs earlier(WrappingMs a, WrappingMs b) { return a.ms_until(b) < 0 ? b : a; }

}  // namespace

uint16_t granted_heartbeat_s(const LivenessSettings& settings, uint16_t asked_s) {
  if (asked_s == 0) return settings.heartbeat_default_s;
  return std::clamp(asked_s, settings.heartbeat_min_s, settings.heartbeat_max_s);
}

WrappingMs next_due(const HotRecord& record, OutputMoved output_moved,
                    const LivenessSettings& settings) {
  switch (record.state) {
    case SessionState::kTlsHandshake:
      return record.last_activity.plus_ms(settings.tls_handshake_timeout_ms + kRoundingMs);
    case SessionState::kAwaitProxyHeader:
    case SessionState::kAwaitTransport:
    case SessionState::kAwaitProtocol:
    case SessionState::kAwaitHello:
      return record.last_activity.plus_ms(settings.hello_timeout_ms + kRoundingMs);
    case SessionState::kLingering:
    case SessionState::kClosed:
      return record.last_activity.plus_ms(kLingerMs);
    case SessionState::kOpen:
      break;
  }
  WrappingMs due = evict_moment(record);
  if (!record.is_pinged) due = earlier(due, ping_moment(record, settings));
  if (output_moved) due = earlier(due, stall_moment(*output_moved, settings));
  return due;
}

DueAction due_action(const HotRecord& record, OutputMoved output_moved,
                     const LivenessSettings& settings, WrappingMs now) {
  switch (record.state) {
    case SessionState::kTlsHandshake:
      return next_due(record, output_moved, settings).is_reached_at(now) ? DueAction::kTlsTimeout
                                                                         : DueAction::kNothing;
    case SessionState::kAwaitProxyHeader:
    case SessionState::kAwaitTransport:
    case SessionState::kAwaitProtocol:
    case SessionState::kAwaitHello:
      return next_due(record, output_moved, settings).is_reached_at(now) ? DueAction::kHelloTimeout
                                                                         : DueAction::kNothing;
    case SessionState::kLingering:
    case SessionState::kClosed:
      return next_due(record, output_moved, settings).is_reached_at(now) ? DueAction::kEndLinger
                                                                         : DueAction::kNothing;
    case SessionState::kOpen:
      break;
  }
  if (evict_moment(record).is_reached_at(now)) return DueAction::kEvict;
  if (output_moved && stall_moment(*output_moved, settings).is_reached_at(now)) {
    return DueAction::kWriteStall;
  }
  const bool is_ping_due = !record.is_pinged && ping_moment(record, settings).is_reached_at(now);
  return is_ping_due ? DueAction::kSendPing : DueAction::kNothing;
}

}  // namespace holdfast
