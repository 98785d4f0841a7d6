#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace holdfast {

// What the admin interface offers.
enum class Endpoint : uint8_t {
  kHealthz,
  kReadyz,
  kMetrics,
  kStats,
  kSessions,   // the list
  kSession,    // one device's
  kHeartbeat,  // one device's
  kDrain,
};

struct Route {
  Endpoint endpoint = Endpoint::kHealthz;
  std::string_view device;  // a piece of the path, still escaped; empty where none belongs

  bool operator==(const Route&) const = default;
};

// The endpoint behind a path; nothing when there is none.
[[nodiscard]] std::optional<Route> route_for(std::string_view path);

// As the Allow header lists them, e.g. "GET, HEAD".
std::string_view allowed_methods(Endpoint endpoint);
[[nodiscard]] bool is_allowed(Endpoint endpoint, std::string_view method);

}  // namespace holdfast
