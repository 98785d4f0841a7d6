#include "gateway/option_rules.h"

#include <cstdint>
#include <set>
#include <utility>

namespace holdfast {
namespace {

constexpr uint32_t kTimeoutMaxS = 65'535;  // WELCOME tells it in 16 bits

std::string with_value(const char* key, uint64_t value) {
  return std::string(key) + " (" + std::to_string(value) + ")";
}

void require(std::vector<RuleBreach>& breaches, bool holds, std::vector<std::string> keys,
             std::string text) {
  if (!holds) breaches.push_back({std::move(keys), std::move(text)});
}

void check_heartbeat(const HeartbeatOptions& heartbeat, std::vector<RuleBreach>& breaches) {
  const std::string min = with_value("heartbeat.min_s", heartbeat.min_s);
  const std::string max = with_value("heartbeat.max_s", heartbeat.max_s);
  const std::string middle = with_value("heartbeat.default_s", heartbeat.default_s);
  const std::string misses = with_value("heartbeat.misses", heartbeat.misses);
  const bool is_ordered = heartbeat.min_s <= heartbeat.max_s;
  require(breaches, is_ordered, {"heartbeat.min_s", "heartbeat.max_s"},
          min + " is above " + max + ": it may be equal at most");
  const bool is_between =
      heartbeat.min_s <= heartbeat.default_s && heartbeat.default_s <= heartbeat.max_s;
  require(breaches, !is_ordered || is_between,
          {"heartbeat.default_s", "heartbeat.min_s", "heartbeat.max_s"},
          middle + " is not between " + min + " and " + max + ", where it must lie");
  require(breaches, uint32_t{heartbeat.max_s} * heartbeat.misses <= kTimeoutMaxS,
          {"heartbeat.misses", "heartbeat.max_s"},
          max + " times " + misses + " is too long a timeout: at most " +
              std::to_string(kTimeoutMaxS) + " seconds are allowed");
}

void check_memory(const LimitOptions& limits, std::vector<RuleBreach>& breaches) {
  const std::string queue = with_value("limits.send_queue_max_bytes", limits.send_queue_max_bytes);
  const std::string frame = with_value("limits.frame_max_bytes", limits.frame_max_bytes);
  require(breaches, limits.send_queue_max_bytes >= limits.frame_max_bytes,
          {"limits.send_queue_max_bytes", "limits.frame_max_bytes"},
          queue + " is less than " + frame + ": a queue must hold the largest frame");
  const uint64_t one_connection = uint64_t{limits.send_queue_max_bytes} + limits.frame_max_bytes;
  const bool fits =
      limits.memory_max_mib == 0 || limits.memory_max_mib * 1024 * 1024 >= one_connection;
  require(breaches, fits,
          {"limits.memory_max_mib", "limits.send_queue_max_bytes", "limits.frame_max_bytes"},
          with_value("limits.memory_max_mib", limits.memory_max_mib) +
              " is less than one connection may need: at least " + queue + " and " + frame +
              " together, or 0 (off)");
}

// Port 0 is never taken: the system picks another for each.
void check_binds(const Options& options, std::vector<RuleBreach>& breaches) {
  std::set<Address> taken;
  if (options.admin_bind.port() != 0) taken.insert(options.admin_bind);
  for (size_t i = 0; i < options.listeners.size(); ++i) {
    const Address& bind = options.listeners[i].bind;
    const bool is_free = bind.port() == 0 || taken.insert(bind).second;
    require(breaches, is_free, {numbered_key("listener.bind", i), "admin.bind"},
            "listener.bind " + bind.text() +
                " is taken by another listener or by admin.bind: each needs its own");
  }
}

void check_admin(const Options& options, std::vector<RuleBreach>& breaches) {
  const bool is_guarded = options.admin_bind.is_loopback() || !options.admin_token_file.empty();
  require(breaches, is_guarded, {"admin.bind", "admin.token_file"},
          options.admin_bind.text() +
              " is not a loopback address: admin.token_file must name a file with a token");
}

}  // namespace

std::vector<RuleBreach> find_breaches(const Options& options) {
  std::vector<RuleBreach> breaches;
  check_heartbeat(options.heartbeat, breaches);
  check_memory(options.limits, breaches);
  check_binds(options, breaches);
  check_admin(options, breaches);
  return breaches;
}

std::string numbered_key(std::string_view key, size_t listener) {
  return std::string(key) + "#" + std::to_string(listener);
}

}  // namespace holdfast
