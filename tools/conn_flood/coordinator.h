#pragma once

#include <cstdint>

#include "tools/conn_flood/crew.h"
#include "tools/conn_flood/options.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/reporter.h"
#include "tools/conn_flood/run.h"
#include "tools/conn_flood/summary.h"

namespace holdfast::flood {

// Leads a run through its phases by what the workers have counted, and says how it goes.
// SIGINT and SIGTERM end it early, with its summary; a second one ends the process at once.
// Thread: the main one.
class Coordinator final {
 public:
  // SIGINT, SIGTERM and SIGCHLD are taken by waiting for them. Before any thread or process is
  // made.
  static void block_signals();

  // All outlive it.
  Coordinator(const Options& options, const Plan& plan, SharedRun& run, Crew& crew);
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  // Returns when every worker is done.
  RunResult lead();

 private:
  void wait_a_moment();
  void on_stop_signal();
  void look();
  bool ramp_is_over() const;
  void begin_phase(Phase phase);
  RunResult gather();

  const Options& options_;
  const Plan& plan_;
  SharedRun& run_;
  Crew& crew_;
  Reporter reporter_;
  Totals totals_;
  uint64_t connected_peak_ = 0;
  uint64_t next_report_us_ = 1'000'000;
  uint64_t stopped_us_ = 0;
  uint64_t hold_began_us_ = 0;
  uint64_t hold_ended_us_ = 0;
  bool was_stopped_ = false;
};

}  // namespace holdfast::flood
