#include "gateway/api/request_body.h"

#include <algorithm>
#include <initializer_list>
#include <string>

#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

using Body = nlohmann::json;

// None of the bodies needs more; a parser meets no depth that its writer chose.
constexpr int kDepthMax = 4;

int depth_of(std::string_view text) {
  int depth = 0;
  int deepest = 0;
  bool is_in_string = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '"') is_in_string = !is_in_string;
    if (is_in_string) {
      if (c == '\\') ++at;
    } else if (c == '{' || c == '[') {
      deepest = std::max(deepest, ++depth);
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return deepest;
}

// An object with no keys but those known: a mistyped key must not be taken for "use the default".
Result<Body> parse_object(std::string_view text, std::initializer_list<std::string_view> known) {
  if (depth_of(text) > kDepthMax) return Status::error("the body is nested too deeply");
  Body body = Body::parse(text.begin(), text.end(), nullptr, false);
  if (body.is_discarded()) return Status::error("the body is not JSON");
  if (!body.is_object()) return Status::error("the body is not a JSON object");
  for (const auto& [key, value] : body.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    std::string names;
    for (const std::string_view name : known) names.append(names.empty() ? "" : ", ").append(name);
    return Status::error("unknown key '" + key + "': known are " + names);
  }
  return body;
}

}  // namespace

Result<DrainRequest> parse_drain_request(std::string_view body) {
  DrainRequest drain;
  if (body.empty()) return drain;
  const Result<Body> parsed = parse_object(body, {"rate_per_s", "reconnect_window_s"});
  if (!parsed.is_ok()) return parsed.status();
  const Body& object = parsed.value();
  if (const auto rate = object.find("rate_per_s"); rate != object.end()) {
    if (!rate->is_number() || !(rate->get<double>() > 0) ||
        !(rate->get<double>() <= DrainRequest::kRatePerSMax)) {
      return Status::error("rate_per_s must be a number above 0 and up to 1000000");
    }
    drain.rate_per_s = rate->get<double>();
  }
  if (const auto window = object.find("reconnect_window_s"); window != object.end()) {
    if (!window->is_number() || !(window->get<double>() >= 0) ||
        !(window->get<double>() <= DrainRequest::kReconnectWindowSMax)) {
      return Status::error("reconnect_window_s must be a number from 0 to 3600");
    }
    drain.reconnect_window_s = window->get<double>();
  }
  return drain;
}

Result<uint16_t> parse_heartbeat_request(std::string_view body, const HeartbeatBounds& bounds) {
  const Result<Body> parsed = parse_object(body, {"interval_s"});
  if (!parsed.is_ok()) return parsed.status();
  const auto interval = parsed.value().find("interval_s");
  const bool is_whole = interval != parsed.value().end() && interval->is_number_integer();
  // What does not fit into 64 bits is no integer to the parser; what is above 2^63 is unsigned.
  const bool is_inside =
      is_whole && !(interval->is_number_unsigned() && interval->get<uint64_t>() > bounds.max_s) &&
      interval->get<int64_t>() >= bounds.min_s && interval->get<int64_t>() <= bounds.max_s;
  if (!is_inside) {
    return Status::error("interval_s must be a whole number from " + std::to_string(bounds.min_s) +
                         " to " + std::to_string(bounds.max_s));
  }
  return interval->get<uint16_t>();
}

}  // namespace holdfast
