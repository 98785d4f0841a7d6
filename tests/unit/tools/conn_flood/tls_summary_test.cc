#include "tools/conn_flood/tls_summary.h"

#include <gtest/gtest.h>

#include <string>

#include <nlohmann/json.hpp>

namespace holdfast::flood {
namespace {

RunResult a_run() {
  RunResult result;
  result.totals[TlsCount::kFull] = 150;
  result.totals[TlsCount::kResumed] = 45;
  result.totals[TlsCount::kTicketsOffered] = 60;
  result.totals[TlsCount::kVersion13] = 195;
  return result;
}

void fail(RunResult& result, const TlsFailure& failure) {
  const auto kind = static_cast<size_t>(failure.kind);
  ++result.totals.tls_failures[kind];
  result.first_tls_codes[kind] = failure.code;
  if (failure.kind == TlsFailureKind::kAlert) ++result.totals.tls_alerts[failure.code];
}

TEST(TlsSummary, TellsHandshakesInALine) {
  EXPECT_EQ(tls_summary_text(a_run()),
            "  tls             195 handshakes (195 TLS 1.3, 0 TLS 1.2), 150 full, 45 resumed: "
            "75.0 % of 60 that offered a ticket\n");
}

TEST(TlsSummary, ExplainsWhatFailed) {
  RunResult result = a_run();
  fail(result, {TlsFailureKind::kAlert, 42});
  fail(result, {TlsFailureKind::kAlert, 116});
  fail(result, {TlsFailureKind::kTimeout, 0});
  const std::string text = tls_summary_text(result);
  for (const char* part : {"tls, failed     alert 2, timeout 1\n", "alert 42 bad_certificate;",
                           "alert 116 certificate_required;", "--welcome-timeout\n"}) {
    EXPECT_NE(text.find(part), std::string::npos) << part;
  }
}

TEST(TlsSummary, JsonHasTheCountsByName) {
  RunResult result = a_run();
  fail(result, {TlsFailureKind::kAlert, 116});
  const nlohmann::ordered_json json = tls_summary_json(result);
  EXPECT_EQ(json["handshakes"], 195);
  EXPECT_EQ(json["full"], 150);
  EXPECT_EQ(json["resumed"], 45);
  EXPECT_EQ(json["tickets_offered"], 60);
  EXPECT_DOUBLE_EQ(json["resumed_share"].get<double>(), 0.75);
  EXPECT_EQ(json["version"]["1.3"], 195);
  EXPECT_EQ(json["version"]["1.2"], 0);
  EXPECT_EQ(json["failed"]["alert"], 1);
  EXPECT_EQ(json["failed"]["closed"], 0);
  EXPECT_EQ(json["alerts"].dump(), "{\"116 certificate_required\":1}");
}

TEST(TlsSummary, WithoutTicketsThereIsNoShare) {
  RunResult result;
  EXPECT_EQ(tls_summary_json(result)["resumed_share"], 0.0);
  EXPECT_EQ(tls_summary_text(result).find('%'), std::string::npos);
}

}  // namespace
}  // namespace holdfast::flood
