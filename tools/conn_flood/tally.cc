#include "tools/conn_flood/tally.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <span>

namespace holdfast::flood {
namespace {

constexpr std::array<std::string_view, kCountCount> kCountNames = {
    "connects_started",
    "established",
    "welcomed",
    "closed_after_welcome",
    "settled",
    "reconnects",
    "took_over",
    "pings",
    "pongs",
    "pongs_missing",
    "pongs_abandoned",
    "pongs_unexpected",
    "clients_answered_in_hold",
    "server_pings_answered",
    "server_pings_ignored",
    "interval_changes",
    "moved",
    "moves_ignored",
    "messages",
    "slow_reader_bytes",
    "goodbyes",
    "goodbyes_unanswered",
    "churned",
    "slow_readers_open",
    "evictions_pending",
    "away_at_end",
    "unfinished",
    "not_started",
};
static_assert(!kCountNames.back().empty());

constexpr std::array<std::string_view, kFateCount> kFateNames = {
    "welcomed", "evicted", "evicted_early", "overdue", "closed_slow", "dismissed", "lost",
};
constexpr std::array<std::string_view, kRefusalCount> kRefusalNames = {
    "connection_refused", "no_port", "no_descriptor", "unreachable", "timeout", "closed",
    "protocol_error",     "tls",
};
constexpr std::array<std::string_view, kLossCauseCount> kLossNames = {
    "closed", "reset", "goaway", "pong_missing", "protocol_error",
};
constexpr std::array<std::string_view, kGoawayKindCount> kGoawayNames = {
    "0",    "4000", "4001", "4002", "4003", "4004", "4005",
    "4006", "4007", "4008", "4009", "4010", "4011", "other",
};

void add_row(std::span<uint64_t> totals, std::span<const Counter> counters) {
  for (size_t i = 0; i < totals.size(); ++i) totals[i] += counters[i].get();
}

}  // namespace

std::string_view to_text(Count count) { return kCountNames[static_cast<size_t>(count)]; }
std::string_view to_text(Fate fate) { return kFateNames[static_cast<size_t>(fate)]; }
std::string_view to_text(Refusal refusal) { return kRefusalNames[static_cast<size_t>(refusal)]; }
std::string_view to_text(LossCause cause) { return kLossNames[static_cast<size_t>(cause)]; }
std::string_view goaway_kind_text(size_t kind) { return kGoawayNames[kind]; }

size_t goaway_kind(GoawayCode code) {
  constexpr auto kFirst = static_cast<size_t>(GoawayCode::kProtocolError);
  constexpr auto kLast = static_cast<size_t>(GoawayCode::kRateLimited);
  const auto number = static_cast<size_t>(code);
  if (number == 0) return 0;
  return number >= kFirst && number <= kLast ? number - kFirst + 1 : kGoawayKindCount - 1;
}

void add(Totals& totals, const CountTable<Counter>& counters) {
  add_row(totals.counts, counters.counts);
  for (size_t i = 0; i < kBehaviourCount; ++i) add_row(totals.fates[i], counters.fates[i]);
  add_row(totals.refusals, counters.refusals);
  add_row(totals.losses, counters.losses);
  add_row(totals.refusals_by_goaway, counters.refusals_by_goaway);
  add_row(totals.goaways, counters.goaways);
  add_row(totals.tls, counters.tls);
  add_row(totals.tls_failures, counters.tls_failures);
  add_row(totals.tls_alerts, counters.tls_alerts);
}

uint64_t total_of(const Totals& totals, Fate fate) {
  uint64_t sum = 0;
  for (const auto& fates : totals.fates) sum += fates[static_cast<size_t>(fate)];
  return sum;
}

size_t LiveLatency::bucket_of(uint64_t us) {
  us = std::min<uint64_t>(us, UINT32_MAX);
  const auto width = static_cast<size_t>(std::bit_width(us));
  if (width <= kSubBucketBits + 1) return us;
  const size_t shift = width - kSubBucketBits - 1;
  return (shift << kSubBucketBits) + (us >> shift);
}

uint64_t LiveLatency::bucket_top(size_t bucket) {
  if (bucket < size_t{2} << kSubBucketBits) return bucket;
  const size_t shift = (bucket >> kSubBucketBits) - 1;
  return ((bucket - (shift << kSubBucketBits) + 1) << shift) - 1;
}

void LiveLatency::add_to(Snapshot& snapshot) const { add_row(snapshot, buckets_); }

uint64_t LiveLatency::percentile(const Snapshot& before, const Snapshot& now, double fraction) {
  uint64_t count = 0;
  for (size_t i = 0; i < kBuckets; ++i) count += now[i] - before[i];
  const auto rank = static_cast<uint64_t>(std::ceil(fraction * static_cast<double>(count)));
  uint64_t seen = 0;
  for (size_t i = 0; i < kBuckets; ++i) {
    seen += now[i] - before[i];
    if (seen >= rank && seen > 0) return bucket_top(i);
  }
  return 0;
}

void Latencies::merge(const Latencies& other) {
  connect_us.merge(other.connect_us);
  tls_handshake_us.merge(other.tls_handshake_us);
  welcome_us.merge(other.welcome_us);
  ping_rtt_us.merge(other.ping_rtt_us);
  ping_rtt_calm_us.merge(other.ping_rtt_calm_us);
  ping_rtt_evicting_us.merge(other.ping_rtt_evicting_us);
  eviction_delay_us.merge(other.eviction_delay_us);
}

}  // namespace holdfast::flood
