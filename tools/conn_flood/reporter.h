#pragma once

#include <cstdint>

#include "tools/conn_flood/run.h"
#include "tools/conn_flood/tally.h"

namespace holdfast::flood {

// The line that says how the run is going: rewritten in place on a terminal, else one a call.
// Thread: the coordinator's.
class Reporter final {
 public:
  // Quiet: says nothing.
  Reporter(uint32_t connections, bool is_quiet);

  void report(const SharedRun& run, const Totals& totals);
  // Ends the line on a terminal, so that what follows begins one of its own.
  void finish();

 private:
  const uint32_t connections_;
  const bool is_quiet_;
  const bool is_terminal_;
  bool line_is_open_ = false;
  uint64_t reported_us_ = 0;
  Totals before_;
  LiveLatency::Snapshot rtt_before_{};
};

}  // namespace holdfast::flood
