#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/conn_flood/options.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/tally.h"

namespace holdfast::flood {

// What a run came to.
struct RunResult {
  Totals totals;
  Latencies latencies;
  uint64_t connected_peak = 0;
  uint64_t early_by_ms_max = 0;  // the earliest eviction of all
  int first_error = 0;           // errno; 0 for none
  // TlsFailure::code of the first of each kind; 0 for none.
  std::array<uint32_t, kTlsFailureKindCount> first_tls_codes{};
  double ramp_s = 0;  // until the last client was welcomed or had given up
  double held_s = 0;
  bool was_stopped = false;  // by a signal
  std::string crew_fault;    // a process died; empty for none
};

// Clients that were to be welcomed once and were not. Those that a signal cut off do not count.
[[nodiscard]] uint64_t never_welcomed(const RunResult& result, const Plan& plan);

// What went otherwise than expected, a sentence each; empty when all went well.
[[nodiscard]] std::vector<std::string> faults(const RunResult& result, const Plan& plan);

// For a person, with the faults at its end.
[[nodiscard]] std::string summary_text(const Options& options, const Plan& plan,
                                       const RunResult& result);

// For a program: every count by its name, percentiles in microseconds, the options.
[[nodiscard]] std::string summary_json(const Options& options, const Plan& plan,
                                       const RunResult& result);

}  // namespace holdfast::flood
