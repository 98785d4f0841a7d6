#include "tests/bench/load_window.h"

#include <algorithm>

#include "tests/bench/cpu_time.h"

namespace holdfast::bench {
namespace {

constexpr double kSecondNs = 1e9;

}  // namespace

Result<CpuSample> take_sample(const ServerProcess& server) {
  uint64_t server_ns = 0;
  for (const int pid : server.pids) {
    const Result<uint64_t> one_ns = process_cpu_ns(pid);
    if (!one_ns.is_ok()) return one_ns.status();
    server_ns += one_ns.value();
  }
  CpuSample sample{.at = monotonic_ns(),
                   .server_ns = server_ns,
                   .server_thread_ns = 0,
                   .client_ns = own_cpu_ns(),
                   .machine_ns = machine_busy_ns()};
  if (server.thread.empty()) return sample;
  const Result<uint64_t> thread_ns = thread_cpu_ns(server.pids.front(), server.thread);
  if (!thread_ns.is_ok()) return thread_ns.status();
  sample.server_thread_ns = thread_ns.value();
  return sample;
}

nlohmann::ordered_json cost_json(const std::string& unit, uint64_t count, const CpuSample& before,
                                 const CpuSample& after) {
  const auto wall_ns = static_cast<double>(after.at - before.at);
  const auto server_ns = static_cast<double>(after.server_ns - before.server_ns);
  const auto thread_ns = static_cast<double>(after.server_thread_ns - before.server_thread_ns);
  const auto client_ns = static_cast<double>(after.client_ns - before.client_ns);
  const auto machine_ns = static_cast<double>(after.machine_ns - before.machine_ns);
  const auto operations = static_cast<double>(std::max<uint64_t>(count, 1));
  nlohmann::ordered_json cost = {
      {unit + "s", count},
      {"window_s", wall_ns / kSecondNs},
      {"achieved_per_s", static_cast<double>(count) * kSecondNs / wall_ns},
      {"server_cpu_ns_per_" + unit, server_ns / operations},
      {"server_share", server_ns / wall_ns},
      {"client_share", client_ns / wall_ns},
      {"others_share", std::max(0.0, machine_ns - server_ns - client_ns) / wall_ns}};
  if (after.server_thread_ns > 0) cost["thread_cpu_ns_per_" + unit] = thread_ns / operations;
  return cost;
}

}  // namespace holdfast::bench
