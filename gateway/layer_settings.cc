#include "gateway/layer_settings.h"

#include <algorithm>
#include <utility>

namespace holdfast {

AdmissionLimits admission_limits(const Options& options, uint32_t capacity) {
  const LimitOptions& limits = options.limits;
  const bool is_max_chosen = limits.connections_max > 0 && limits.connections_max <= capacity;
  return {.connections_max = is_max_chosen ? limits.connections_max : capacity,
          .is_max_chosen = is_max_chosen,
          .sheds_when_full = limits.when_full == WhenFull::kShedIdlest,
          .per_address_max = limits.per_address_max,
          .rate_per_s = limits.accept_rate_per_s,
          .subnet_rate_per_s = limits.accept_rate_per_subnet_per_s};
}

uint64_t memory_bytes_max(const Options& options) { return options.limits.memory_max_mib << 20; }

std::shared_ptr<const LoopSettings> loop_settings(const Options& options,
                                                  const std::vector<ListenerTls>& tls,
                                                  LoopIndex loops) {
  LoopSettings settings;
  settings.liveness = {.heartbeat_default_s = options.heartbeat.default_s,
                       .heartbeat_min_s = options.heartbeat.min_s,
                       .heartbeat_max_s = options.heartbeat.max_s,
                       .misses = options.heartbeat.misses,
                       .grace_ms = options.heartbeat.grace_ms,
                       .tls_handshake_timeout_ms = options.tls.handshake_timeout_ms,
                       .hello_timeout_ms = options.limits.hello_timeout_ms,
                       .write_stall_ms = options.limits.write_stall_ms};
  settings.frame_bytes_max = options.limits.frame_max_bytes;
  settings.send_queue_bytes_max = options.limits.send_queue_max_bytes;
  settings.memory_bytes_max = memory_bytes_max(options);
  settings.sheds_when_full = options.limits.when_full == WhenFull::kShedIdlest;
  settings.tls = tls;
  settings.tls_handshakes_max = std::max(1u, options.tls.handshakes_max / loops);
  settings.tls_idle_steps = options.tls.idle_steps;
  return std::make_shared<const LoopSettings>(std::move(settings));
}

uint32_t handshake_threads(const Options& options, size_t cores) {
  if (options.tls_handshake_threads > 0) return options.tls_handshake_threads;
  // In a storm of handshakes the loops keep the other half.
  return static_cast<uint32_t>(std::max<size_t>(1, cores / 2));
}

Options with_reloadable(const Options& running, const Options& wanted) {
  Options merged = running;
  merged.heartbeat = wanted.heartbeat;
  merged.limits = wanted.limits;
  merged.tls = wanted.tls;
  // A listener that has moved or is new waits for a restart, with all that is its own.
  for (size_t i = 0; i < std::min(running.listeners.size(), wanted.listeners.size()); ++i) {
    if (running.listeners[i].bind != wanted.listeners[i].bind) continue;
    merged.listeners[i].tls = wanted.listeners[i].tls;
  }
  merged.log_level = wanted.log_level;
  merged.admin_token_file = wanted.admin_token_file;
  merged.admin_token = wanted.admin_token;
  merged.shutdown_grace_s = wanted.shutdown_grace_s;
  return merged;
}

}  // namespace holdfast
