#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "gateway/api/node_view.h"
#include "gateway/api/process_facts.h"

namespace holdfast {

// The admin server's own figures.
struct AdminFigures {
  uint64_t connections = 0;
  uint64_t accepted = 0;
  uint64_t accept_errors = 0;
  uint64_t refused_connections = 0;
  uint64_t auth_failures = 0;
  uint64_t late_answers = 0;
  uint64_t late_replies = 0;
  std::map<int, uint64_t> responses;  // by status
};

struct MetricsInput {
  const NodeView& node;
  const AdminFigures& admin;
  const ProcessFacts& process;
  bool is_ready = false;
  bool is_draining = false;
  uint64_t now_ms = 0;  // monotonic
};

inline constexpr const char* kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// The body of /metrics, in Prometheus' text format. Base units (seconds, bytes); counters end in
// _total; every reason is there from the start, so that a rate over its first event is not lost.
std::string metrics_text(const MetricsInput& input);

}  // namespace holdfast
