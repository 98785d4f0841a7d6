#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/status.h"
#include "tests/bench/ping_client.h"

namespace holdfast::bench {

// The server under load, as /proc knows it: all of its processes, workers included.
struct ServerProcess {
  std::vector<int> pids;
  std::string thread;  // of the first, the one whose share is told apart; empty: none
};

// What all had used of the processors at one moment.
struct CpuSample {
  Nanoseconds at = 0;
  uint64_t server_ns = 0;
  uint64_t server_thread_ns = 0;
  uint64_t client_ns = 0;
  uint64_t machine_ns = 0;
};

// Thread: the only one of the client.
[[nodiscard]] Result<CpuSample> take_sample(const ServerProcess& server);

// What a window cost, per one of `count` operations of which `unit` is the name:
// {UNITs, window_s, achieved_per_s, server_cpu_ns_per_UNIT, server_share, client_share,
// others_share}, and thread_cpu_ns_per_UNIT when a thread is told apart. Shares are of one
// processor: a client near 1 was the limit, not the server.
[[nodiscard]] nlohmann::ordered_json cost_json(const std::string& unit, uint64_t count,
                                               const CpuSample& before, const CpuSample& after);

}  // namespace holdfast::bench
