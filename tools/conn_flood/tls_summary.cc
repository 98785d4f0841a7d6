#include "tools/conn_flood/tls_summary.h"

#include <fmt/format.h>

#include <cstdint>

#include <nlohmann/json.hpp>

#include "tools/conn_flood/count_row.h"
#include "tools/conn_flood/tls_failure.h"

namespace holdfast::flood {
namespace {

using Json = nlohmann::ordered_json;

std::string_view failure_name(size_t i) { return to_text(static_cast<TlsFailureKind>(i)); }
std::string alert_name(size_t i) { return alert_text(static_cast<uint8_t>(i)); }

uint64_t handshakes(const Totals& totals) {
  return totals[TlsCount::kFull] + totals[TlsCount::kResumed];
}

// Of those that offered a ticket, 0 to 1.
double resumed_share(const Totals& totals) {
  const auto offered = static_cast<double>(totals[TlsCount::kTicketsOffered]);
  return offered > 0 ? static_cast<double>(totals[TlsCount::kResumed]) / offered : 0;
}

std::string handshakes_line(const Totals& totals) {
  std::string line =
      fmt::format("  {:<15} {} handshakes ({} TLS 1.3, {} TLS 1.2), {} full, {} resumed", "tls",
                  handshakes(totals), totals[TlsCount::kVersion13], totals[TlsCount::kVersion12],
                  totals[TlsCount::kFull], totals[TlsCount::kResumed]);
  if (totals[TlsCount::kTicketsOffered] > 0) {
    line += fmt::format(": {:.1f} % of {} that offered a ticket", 100 * resumed_share(totals),
                        totals[TlsCount::kTicketsOffered]);
  }
  return line + "\n";
}

std::string why_line(const TlsFailure& failure) {
  return fmt::format("  {:<15} {}\n", "tls, why", explain(failure));
}

// Every alert is told, and of the other kinds the first that came.
std::string why_lines(const RunResult& result) {
  const Totals& totals = result.totals;
  std::string text;
  for (uint32_t number = 0; number < kTlsAlertCount; ++number) {
    if (totals.tls_alerts[number] > 0) text += why_line({TlsFailureKind::kAlert, number});
  }
  for (size_t i = 0; i < kTlsFailureKindCount; ++i) {
    const auto kind = static_cast<TlsFailureKind>(i);
    if (kind == TlsFailureKind::kAlert || totals.tls_failures[i] == 0) continue;
    text += why_line({kind, result.first_tls_codes[i]});
  }
  return text;
}

std::string_view version_text(TlsVersion version) {
  switch (version) {
    case TlsVersion::kAny:
      return "any";
    case TlsVersion::k12:
      return "1.2";
    case TlsVersion::k13:
      return "1.3";
  }
  return "";
}

}  // namespace

std::string tls_summary_text(const RunResult& result) {
  std::string text = handshakes_line(result.totals);
  const std::string failed = listed(result.totals.tls_failures, failure_name);
  if (failed.empty()) return text;
  return text + fmt::format("  {:<15} {}\n", "tls, failed", failed) + why_lines(result);
}

Json tls_summary_json(const RunResult& result) {
  const Totals& totals = result.totals;
  Json json;
  json["version"] = {{"1.2", totals[TlsCount::kVersion12]}, {"1.3", totals[TlsCount::kVersion13]}};
  json["handshakes"] = handshakes(totals);
  json["full"] = totals[TlsCount::kFull];
  json["resumed"] = totals[TlsCount::kResumed];
  json["tickets_offered"] = totals[TlsCount::kTicketsOffered];
  json["resumed_share"] = resumed_share(totals);
  json["failed"] = named(totals.tls_failures, failure_name, true);
  json["alerts"] = named(totals.tls_alerts, alert_name, false);
  return json;
}

Json tls_options_json(const TlsOptions& options) {
  return Json{{"ca", options.ca_file},
              {"cert", options.cert_file},
              {"server_name", options.server_name},
              {"version", version_text(options.version)},
              {"resume", options.resumes}};
}

}  // namespace holdfast::flood
