#include "tools/conn_flood/reporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace holdfast::flood {
namespace {

std::string_view to_text(Phase phase) {
  switch (phase) {
    case Phase::kRamp:
      return "ramp";
    case Phase::kHold:
      return "hold";
    case Phase::kEnd:
    case Phase::kStop:
      return "end ";
  }
  return "";
}

double ms(uint64_t us) { return static_cast<double>(us) / 1000; }

}  // namespace

Reporter::Reporter(uint32_t connections, bool is_quiet)
    : connections_(connections), is_quiet_(is_quiet), is_terminal_(::isatty(STDOUT_FILENO) == 1) {}

void Reporter::report(const SharedRun& run, const Totals& totals) {
  if (is_quiet_) return;
  const uint64_t now_us = run.elapsed_us();
  const double seconds = static_cast<double>(now_us - reported_us_) / 1e6;
  const auto rate = [&](Count count) {
    return static_cast<double>(totals[count] - before_[count]) / seconds;
  };
  LiveLatency::Snapshot rtt{};
  for (const Tally& tally : run.tallies()) tally.live_rtt.add_to(rtt);

  uint64_t refused = 0;
  for (const uint64_t count : totals.refusals) refused += count;
  for (const uint64_t count : totals.refusals_by_goaway) refused += count;
  const std::string line = fmt::format(
      "{:7.1f} s  {}  connected {}/{}  +{:.0f}/s  pings {:.0f}/s  rtt p50 {:.2f} p99 {:.2f} ms  "
      "evicted {}  refused {}  lost {}",
      static_cast<double>(now_us) / 1e6, to_text(run.phase()),
      totals[Count::kWelcomed] - totals[Count::kClosedAfterWelcome], connections_,
      rate(Count::kWelcomed), rate(Count::kPings),
      ms(LiveLatency::percentile(rtt_before_, rtt, 0.5)),
      ms(LiveLatency::percentile(rtt_before_, rtt, 0.99)),
      total_of(totals, Fate::kEvicted) + total_of(totals, Fate::kEvictedEarly), refused,
      total_of(totals, Fate::kLost));
  std::printf(is_terminal_ ? "\r%s\033[K" : "%s\n", line.c_str());
  std::fflush(stdout);
  line_is_open_ = is_terminal_;
  reported_us_ = now_us;
  before_ = totals;
  rtt_before_ = rtt;
}

void Reporter::finish() {
  if (!line_is_open_) return;
  std::printf("\n");
  line_is_open_ = false;
}

}  // namespace holdfast::flood
