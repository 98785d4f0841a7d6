#include "tools/conn_flood/coordinator.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "tools/conn_flood/backoff.h"

namespace holdfast::flood {
namespace {

constexpr uint64_t kLookEveryMs = 50;
constexpr uint64_t kReportEveryUs = 1'000'000;
constexpr uint64_t kSignalEchoUs = 300'000;
constexpr int kKilledExitCode = 130;

sigset_t awaited_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGCHLD);
  return signals;
}

uint64_t last_settled_us(const SharedRun& run) {
  uint64_t last = 0;
  for (const Tally& tally : run.tallies()) {
    last = std::max(last, tally.last_settled_us.load(std::memory_order_relaxed));
  }
  return last;
}

}  // namespace

void Coordinator::block_signals() {
  const sigset_t signals = awaited_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Coordinator::Coordinator(const Options& options, const Plan& plan, SharedRun& run, Crew& crew)
    : options_(options),
      plan_(plan),
      run_(run),
      crew_(crew),
      reporter_(plan.connections(), options.quiet) {}

RunResult Coordinator::lead() {
  while (!crew_.has_ended()) {
    wait_a_moment();
    look();
    if (run_.elapsed_us() < next_report_us_) continue;
    next_report_us_ = (run_.elapsed_us() / kReportEveryUs + 1) * kReportEveryUs;
    reporter_.report(run_, totals_);
  }
  look();
  reporter_.finish();
  return gather();
}

void Coordinator::wait_a_moment() {
  const sigset_t signals = awaited_signals();
  const timespec moment{0, static_cast<long>(kLookEveryMs * 1'000'000)};
  const int signal = ::sigtimedwait(&signals, nullptr, &moment);
  if (signal == SIGINT || signal == SIGTERM) on_stop_signal();
}

void Coordinator::on_stop_signal() {
  // A terminal, sudo or timeout(1) may send one request twice.
  const bool is_an_echo = run_.elapsed_us() - stopped_us_ < kSignalEchoUs;
  if (was_stopped_ && !is_an_echo) ::_exit(kKilledExitCode);  // children die with us
  if (was_stopped_) return;
  was_stopped_ = true;
  stopped_us_ = run_.elapsed_us();
  begin_phase(Phase::kStop);
}

void Coordinator::look() {
  totals_ = Totals{};
  for (const Tally& tally : run_.tallies()) add(totals_, tally.counters);
  // Read one after the other while they grow: a close may be seen before its WELCOME.
  const uint64_t closed = std::min(totals_[Count::kClosedAfterWelcome], totals_[Count::kWelcomed]);
  connected_peak_ = std::max(connected_peak_, totals_[Count::kWelcomed] - closed);

  if (!crew_.health().is_ok() && run_.phase() < Phase::kEnd) begin_phase(Phase::kStop);
  if (run_.phase() == Phase::kRamp && ramp_is_over()) begin_phase(Phase::kHold);
  if (run_.phase() == Phase::kHold && options_.duration_s > 0 &&
      static_cast<double>(run_.elapsed_us() - hold_began_us_) >= options_.duration_s * 1e6) {
    begin_phase(Phase::kEnd);
  }
}

// All clients were welcomed or gave up; or those that try again have made no headway for so long
// that every one of them must have tried.
bool Coordinator::ramp_is_over() const {
  if (totals_[Count::kSettled] >= plan_.connections()) return true;
  if (totals_[Count::kConnectsStarted] < plan_.connections()) return false;
  const double patience_us = options_.welcome_timeout_s * 1e6 + 2e3 * kBackoffCapMs;
  return static_cast<double>(run_.elapsed_us() - last_settled_us(run_)) > patience_us;
}

void Coordinator::begin_phase(Phase phase) {
  const uint64_t now_us = run_.elapsed_us();
  if (phase == Phase::kHold) hold_began_us_ = now_us;
  if (phase >= Phase::kEnd && hold_began_us_ > 0 && hold_ended_us_ == 0) hold_ended_us_ = now_us;
  run_.set_phase(phase);
}

RunResult Coordinator::gather() {
  RunResult result;
  result.totals = totals_;
  result.connected_peak = connected_peak_;
  result.was_stopped = was_stopped_;
  result.ramp_s = static_cast<double>(last_settled_us(run_)) / 1e6;
  const uint64_t held_until_us = hold_ended_us_ > 0 ? hold_ended_us_ : run_.elapsed_us();
  if (hold_began_us_ > 0) {
    result.held_s = static_cast<double>(held_until_us - hold_began_us_) / 1e6;
  }
  if (!crew_.health().is_ok()) result.crew_fault = crew_.health().message();
  for (const Tally& tally : run_.tallies()) {
    result.early_by_ms_max =
        std::max(result.early_by_ms_max, tally.early_by_ms_max.load(std::memory_order_relaxed));
    if (result.first_error == 0) result.first_error = tally.first_error.load();
    for (size_t i = 0; i < kTlsFailureKindCount; ++i) {
      if (result.first_tls_codes[i] == 0) result.first_tls_codes[i] = tally.first_tls_codes[i];
    }
    // Another's unfinished work is not there to be read: its process died.
    if (tally.is_finished.load(std::memory_order_acquire)) result.latencies.merge(tally.latencies);
  }
  return result;
}

}  // namespace holdfast::flood
