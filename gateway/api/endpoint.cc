#include "gateway/api/endpoint.h"

#include <algorithm>
#include <array>

namespace holdfast {
namespace {

struct FixedPath {
  std::string_view path;
  Endpoint endpoint;
};

constexpr std::array kFixedPaths = {
    FixedPath{"/healthz", Endpoint::kHealthz},      FixedPath{"/readyz", Endpoint::kReadyz},
    FixedPath{"/metrics", Endpoint::kMetrics},      FixedPath{"/v1/stats", Endpoint::kStats},
    FixedPath{"/v1/sessions", Endpoint::kSessions}, FixedPath{"/v1/drain", Endpoint::kDrain},
};

constexpr std::string_view kSessionPrefix = "/v1/sessions/";
constexpr std::string_view kHeartbeatSuffix = "heartbeat";

}  // namespace

std::optional<Route> route_for(std::string_view path) {
  for (const FixedPath& fixed : kFixedPaths) {
    if (path == fixed.path) return Route{fixed.endpoint, {}};
  }
  if (!path.starts_with(kSessionPrefix)) return std::nullopt;
  const std::string_view rest = path.substr(kSessionPrefix.size());
  const size_t slash = rest.find('/');
  const std::string_view device = rest.substr(0, slash);
  if (slash == std::string_view::npos) return Route{Endpoint::kSession, device};
  if (rest.substr(slash + 1) == kHeartbeatSuffix) return Route{Endpoint::kHeartbeat, device};
  return std::nullopt;
}

std::string_view allowed_methods(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::kSession:
      return "GET, HEAD, DELETE";
    case Endpoint::kHeartbeat:
      return "PUT";
    case Endpoint::kDrain:
      return "POST, DELETE";
    case Endpoint::kHealthz:
    case Endpoint::kReadyz:
    case Endpoint::kMetrics:
    case Endpoint::kStats:
    case Endpoint::kSessions:
      break;
  }
  return "GET, HEAD";
}

bool is_allowed(Endpoint endpoint, std::string_view method) {
  std::string_view rest = allowed_methods(endpoint);
  while (!rest.empty()) {
    const size_t end = std::min(rest.find(", "), rest.size());
    if (rest.substr(0, end) == method) return true;
    rest.remove_prefix(std::min(end + 2, rest.size()));
  }
  return false;
}

}  // namespace holdfast
