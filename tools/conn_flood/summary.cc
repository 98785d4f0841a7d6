#include "tools/conn_flood/summary.h"

#include <fmt/format.h>

#include <cerrno>
#include <string_view>

#include <nlohmann/json.hpp>

#include "tools/conn_flood/count_row.h"
#include "tools/conn_flood/errno_text.h"
#include "tools/conn_flood/tls_summary.h"

namespace holdfast::flood {
namespace {

using Json = nlohmann::ordered_json;

Behaviour behaviour_at(size_t index) { return static_cast<Behaviour>(index); }

double connect_rate_per_s(const RunResult& result) {
  const auto welcomed = static_cast<double>(total_of(result.totals, Fate::kWelcomed));
  return result.ramp_s > 0 ? welcomed / result.ramp_s : 0;
}

// What to do about an errno that says something of this machine rather than of the target.
std::string_view mend_of(int error) {
  switch (error) {
    case EADDRNOTAVAIL:
      return "name more --sources, or widen: sysctl -w net.ipv4.ip_local_port_range=\"1024 65535\"";
    case EMFILE:
      return "raise the limit: ulimit -Hn 1048576, or give more --processes";
    case ENFILE:
      return "raise the limit: sysctl -w fs.file-max=4194304";
    case ENOBUFS:
    case ENOMEM:
      return "the kernel is out of memory for sockets: see net.ipv4.tcp_mem";
    case ECONNREFUSED:
      return "is the target listening there?";
    default:
      return "";
  }
}

std::string connect_error_text(int error) {
  const std::string_view mend = mend_of(error);
  return errno_text(error) + (mend.empty() ? "" : "; ") + std::string(mend);
}

std::string latency_line(std::string_view name, const Histogram& us) {
  const auto ms = [&](double fraction) {
    return static_cast<double>(us.percentile(fraction)) / 1000;
  };
  if (us.count() == 0) return fmt::format("  {:<15} none\n", name);
  return fmt::format(
      "  {:<15} p50 {:.2f}  p99 {:.2f}  p99.9 {:.2f}  max {:.2f} ms  ({} measured)\n", name,
      ms(0.5), ms(0.99), ms(0.999), static_cast<double>(us.max()) / 1000, us.count());
}

std::string behaviour_line(const Plan& plan, const Totals& totals, Behaviour behaviour) {
  std::string line = fmt::format("  {:<15} {} planned", to_text(behaviour), plan.count(behaviour));
  for (size_t i = 0; i < kFateCount; ++i) {
    const auto fate = static_cast<Fate>(i);
    const uint64_t count = totals.fate(behaviour, fate);
    if (count > 0) line += fmt::format(", {} {}", count, to_text(fate));
  }
  return line + "\n";
}

std::string_view refusal_name(size_t i) { return to_text(static_cast<Refusal>(i)); }
std::string_view loss_name(size_t i) { return to_text(static_cast<LossCause>(i)); }

Json percentiles(const Histogram& us) {
  return Json{{"count", us.count()},
              {"min", us.min()},
              {"p50", us.percentile(0.5)},
              {"p99", us.percentile(0.99)},
              {"p999", us.percentile(0.999)},
              {"max", us.max()},
              {"mean", us.mean()}};
}

Json options_json(const Options& options) {
  Json targets = Json::array();
  for (const Address& target : options.targets) targets.push_back(target.text());
  Json json{{"targets", targets},
            {"connections", options.connections},
            {"rate_per_s", options.rate_per_s},
            {"duration_s", options.duration_s},
            {"heartbeat_s", options.heartbeat_s},
            {"welcome_timeout_s", options.welcome_timeout_s},
            {"mute", options.shares.mute},
            {"half_frame", options.shares.half_frame},
            {"slow_reader", options.shares.slow_reader},
            {"churn", options.shares.churn},
            {"churn_life_s", options.churn_life_s},
            {"sources", options.sources.size()},
            {"threads", options.threads},
            {"processes", options.processes},
            {"id_prefix", options.id_prefix},
            {"seed", options.seed},
            {"reconnect", options.reconnect},
            {"goodbye", options.goodbye}};
  json["calm_s"] = options.calm_s;
  json["mute_heartbeat_s"] = heartbeat_asked_s(options, Behaviour::kMute);
  if (options.tls.is_on) json["tls"] = tls_options_json(options.tls);
  json["mute_after_s"] = options.mute_after_s ? Json(*options.mute_after_s) : Json(nullptr);
  return json;
}

Json refusals_json(const Options& options, const Totals& totals) {
  Json json = named(totals.refusals, refusal_name, true);
  if (!options.tls.is_on) json.erase(std::string(to_text(Refusal::kTls)));
  return json;
}

Json behaviours_json(const Plan& plan, const Totals& totals) {
  Json json = Json::object();
  for (size_t i = 0; i < kBehaviourCount; ++i) {
    Json fates = named(
        totals.fates[i], [](size_t f) { return to_text(static_cast<Fate>(f)); }, true);
    fates["planned"] = plan.count(behaviour_at(i));
    json[std::string(to_text(behaviour_at(i)))] = fates;
  }
  return json;
}

}  // namespace

uint64_t never_welcomed(const RunResult& result, const Plan& plan) {
  const Totals& totals = result.totals;
  const uint64_t cut_off =
      result.was_stopped ? totals[Count::kNotStarted] + totals[Count::kUnfinished] : 0;
  return plan.connections() - cut_off - total_of(totals, Fate::kWelcomed);
}

std::vector<std::string> faults(const RunResult& result, const Plan& plan) {
  const Totals& totals = result.totals;
  std::vector<std::string> found;
  const auto check = [&found](uint64_t count, std::string_view what) {
    if (count > 0) found.push_back(fmt::format("{} {}", count, what));
  };
  if (!result.crew_fault.empty()) found.push_back(result.crew_fault);
  check(never_welcomed(result, plan), "never welcomed");
  check(total_of(totals, Fate::kLost), "lost that were expected to live");
  check(totals[Count::kAwayAtEnd], "sent away and not back in at the end");
  check(totals[Count::kPongsMissing], "PONGs that never came");
  check(totals[Count::kPongsUnexpected], "PONGs that answer no PING");
  check(total_of(totals, Fate::kEvictedEarly), "evicted before the deadline");
  check(total_of(totals, Fate::kOverdue), "silent and still connected 2 s after the deadline");
  return found;
}

std::string summary_text(const Options& options, const Plan& plan, const RunResult& result) {
  const Totals& totals = result.totals;
  std::string text = fmt::format(
      "\n{} clients to {}{}, held {:.1f} s{}\n", plan.connections(), options.targets[0].text(),
      options.targets.size() > 1 ? fmt::format(" and {} more", options.targets.size() - 1) : "",
      result.held_s, result.was_stopped ? " (stopped by a signal)" : "");
  text += fmt::format("  {:<15} {} at most; {} in {:.2f} s ({:.0f}/s)\n", "connected",
                      result.connected_peak, total_of(totals, Fate::kWelcomed), result.ramp_s,
                      connect_rate_per_s(result));
  text += latency_line("connect", result.latencies.connect_us);
  if (options.tls.is_on) text += latency_line("tls handshake", result.latencies.tls_handshake_us);
  text += latency_line("welcome", result.latencies.welcome_us);
  text += latency_line("ping", result.latencies.ping_rtt_us);
  if (options.calm_s > 0) {
    text += latency_line("  in the calm", result.latencies.ping_rtt_calm_us);
    text += latency_line("  evicting", result.latencies.ping_rtt_evicting_us);
  }
  if (result.latencies.eviction_delay_us.count() > 0) {
    text += latency_line("eviction delay", result.latencies.eviction_delay_us);
  }
  text += fmt::format("  {:<15} {} sent, {} answered, {} missing; {} of the server's answered\n",
                      "pings", totals[Count::kPings], totals[Count::kPongs],
                      totals[Count::kPongsMissing], totals[Count::kServerPingsAnswered]);
  for (size_t i = 0; i < kBehaviourCount; ++i) {
    if (plan.count(behaviour_at(i)) > 0) text += behaviour_line(plan, totals, behaviour_at(i));
  }
  const auto optional_line = [&text](std::string_view name, const std::string& value) {
    if (!value.empty()) text += fmt::format("  {:<15} {}\n", name, value);
  };
  if (totals[Count::kReconnects] > 0) {
    text += fmt::format("  {:<15} {}, {} took over an older session\n", "reconnects",
                        totals[Count::kReconnects], totals[Count::kTookOver]);
  }
  optional_line("goaway", listed(totals.goaways, goaway_kind_text));
  optional_line("refused", listed(totals.refusals, refusal_name));
  optional_line("refused, goaway", listed(totals.refusals_by_goaway, goaway_kind_text));
  optional_line("lost", listed(totals.losses, loss_name));
  if (options.tls.is_on) text += tls_summary_text(result);
  if (result.first_error != 0) optional_line("connect(2)", connect_error_text(result.first_error));
  if (totals[Count::kEvictionsPending] > 0) {
    text += fmt::format("  {:<15} {} silent clients were not due before the end\n", "evictions",
                        totals[Count::kEvictionsPending]);
  }
  if (result.early_by_ms_max > 0) {
    text += fmt::format("  {:<15} {} ms before its deadline at most\n", "evicted early",
                        result.early_by_ms_max);
  }

  const std::vector<std::string> found = faults(result, plan);
  if (found.empty()) return text + "OK: all as expected\n";
  text += "FAILED:";
  for (const std::string& fault : found) text += " " + fault + ";";
  text.back() = '\n';
  return text;
}

std::string summary_json(const Options& options, const Plan& plan, const RunResult& result) {
  const Totals& totals = result.totals;
  Json json;
  json["ok"] = faults(result, plan).empty();
  json["faults"] = faults(result, plan);
  json["was_stopped"] = result.was_stopped;
  json["connected_peak"] = result.connected_peak;
  json["clients_welcomed"] = total_of(totals, Fate::kWelcomed);
  json["never_welcomed"] = never_welcomed(result, plan);
  json["lost_unexpected"] = total_of(totals, Fate::kLost);
  json["evicted_expected"] = total_of(totals, Fate::kEvicted);
  json["evicted_early"] = total_of(totals, Fate::kEvictedEarly);
  json["evicted_early_by_ms_max"] = result.early_by_ms_max;
  json["evictions_overdue"] = total_of(totals, Fate::kOverdue);
  json["slow_readers_closed"] = total_of(totals, Fate::kClosedSlow);
  json["dismissed"] = total_of(totals, Fate::kDismissed);
  for (size_t i = 0; i < kCountCount; ++i) {
    json[std::string(to_text(static_cast<Count>(i)))] = totals.counts[i];
  }
  json["refused"] = refusals_json(options, totals);
  json["refused_by_goaway"] = named(totals.refusals_by_goaway, goaway_kind_text, false);
  json["goaway_by_code"] = named(totals.goaways, goaway_kind_text, false);
  json["lost_by_cause"] = named(totals.losses, loss_name, true);
  json["behaviours"] = behaviours_json(plan, totals);
  json["latency_us"] = {{"connect", percentiles(result.latencies.connect_us)},
                        {"welcome", percentiles(result.latencies.welcome_us)},
                        {"ping_rtt", percentiles(result.latencies.ping_rtt_us)},
                        {"ping_rtt_calm", percentiles(result.latencies.ping_rtt_calm_us)},
                        {"ping_rtt_evicting", percentiles(result.latencies.ping_rtt_evicting_us)},
                        {"eviction_delay", percentiles(result.latencies.eviction_delay_us)}};
  if (options.tls.is_on) {
    json["latency_us"]["tls_handshake"] = percentiles(result.latencies.tls_handshake_us);
    json["tls"] = tls_summary_json(result);
  }
  json["connect_rate_per_s"] = connect_rate_per_s(result);
  json["ramp_s"] = result.ramp_s;
  json["held_s"] = result.held_s;
  json["options"] = options_json(options);
  return json.dump(2) + "\n";
}

}  // namespace holdfast::flood
