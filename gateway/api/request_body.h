#pragma once

#include <cstdint>
#include <string_view>

#include "common/status.h"

// The JSON bodies that the admin interface takes. Pure; an error's message is for the operator who
// sent the body.
namespace holdfast {

struct DrainRequest {
  static constexpr double kRatePerSMax = 1'000'000;
  static constexpr double kReconnectWindowSMax = 3600;

  double rate_per_s = 1000;        // sessions sent away; above 0
  double reconnect_window_s = 60;  // over how long they come back; 0: at once
};

// {"rate_per_s","reconnect_window_s"}, each optional, as is the whole body.
[[nodiscard]] Result<DrainRequest> parse_drain_request(std::string_view body);

struct HeartbeatBounds {
  uint16_t min_s = 1;
  uint16_t max_s = 1800;
};

// {"interval_s": N}: a whole number within the bounds.
[[nodiscard]] Result<uint16_t> parse_heartbeat_request(std::string_view body,
                                                       const HeartbeatBounds& bounds);

}  // namespace holdfast
