#include "tools/conn_flood/summary.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <string>

namespace holdfast::flood {
namespace {

Options ten_clients() {
  Options options;
  options.targets = {Address::parse("127.0.0.1:7000").value()};
  options.connections = 10;
  options.shares.mute = 0.2;
  return options;
}

class Summary : public testing::Test {
 protected:
  // Eight steady clients and two mute ones, all welcomed, the two evicted.
  Summary() {
    result_.totals.fate(Behaviour::kSteady, Fate::kWelcomed) = 8;
    result_.totals.fate(Behaviour::kMute, Fate::kWelcomed) = 2;
    result_.totals.fate(Behaviour::kMute, Fate::kEvicted) = 2;
    result_.connected_peak = 10;
    result_.ramp_s = 2;
  }

  std::string only_fault() const {
    const std::vector<std::string> found = faults(result_, plan_);
    EXPECT_EQ(found.size(), 1u);
    return found.empty() ? "" : found[0];
  }

  const Options options_ = ten_clients();
  const Plan plan_{options_};
  RunResult result_;
};

TEST_F(Summary, ExpectedEvictionsAreNoFault) {
  EXPECT_TRUE(faults(result_, plan_).empty());
  EXPECT_NE(summary_text(options_, plan_, result_).find("OK: all as expected"), std::string::npos);
}

TEST_F(Summary, LossIsAFault) {
  result_.totals.fate(Behaviour::kSteady, Fate::kLost) = 3;
  EXPECT_EQ(only_fault(), "3 lost that were expected to live");
  EXPECT_NE(summary_text(options_, plan_, result_).find("FAILED: 3 lost"), std::string::npos);
}

TEST_F(Summary, MissingAndStrayPongsAreFaults) {
  result_.totals[Count::kPongsMissing] = 1;
  EXPECT_EQ(only_fault(), "1 PONGs that never came");
  result_.totals[Count::kPongsMissing] = 0;
  result_.totals[Count::kPongsUnexpected] = 1;
  EXPECT_EQ(only_fault(), "1 PONGs that answer no PING");
}

TEST_F(Summary, EvictionsOutOfTimeAreFaults) {
  result_.totals.fate(Behaviour::kMute, Fate::kEvictedEarly) = 1;
  EXPECT_EQ(only_fault(), "1 evicted before the deadline");
  result_.totals.fate(Behaviour::kMute, Fate::kEvictedEarly) = 0;
  result_.totals.fate(Behaviour::kMute, Fate::kOverdue) = 1;
  EXPECT_EQ(only_fault(), "1 silent and still connected 2 s after the deadline");
}

TEST_F(Summary, ThoseNeverWelcomedAreAFaultUnlessASignalCutThemOff) {
  result_.totals.fate(Behaviour::kSteady, Fate::kWelcomed) = 5;
  result_.totals[Count::kNotStarted] = 2;
  result_.totals[Count::kUnfinished] = 1;
  EXPECT_EQ(never_welcomed(result_, plan_), 3u);
  EXPECT_EQ(only_fault(), "3 never welcomed");
  result_.was_stopped = true;
  EXPECT_EQ(never_welcomed(result_, plan_), 0u);
  EXPECT_TRUE(faults(result_, plan_).empty());
}

TEST_F(Summary, DeadProcessIsAFault) {
  result_.crew_fault = "process 7 of the flood was killed by signal 9";
  EXPECT_EQ(only_fault(), result_.crew_fault);
}

TEST_F(Summary, PortShortageNamesTheMend) {
  result_.first_error = EADDRNOTAVAIL;
  EXPECT_NE(summary_text(options_, plan_, result_).find("ip_local_port_range"), std::string::npos);
}

TEST_F(Summary, JsonHasTheCountsByName) {
  result_.latencies.ping_rtt_us.record(1000);
  const std::string json = summary_json(options_, plan_, result_);
  for (const char* part :
       {"\"ok\": true", "\"connected_peak\": 10", "\"evicted_expected\": 2", "\"evicted_early\": 0",
        "\"lost_unexpected\": 0", "\"connect_rate_per_s\": 5.0", "\"p999\": 1000"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part;
  }
}

TEST_F(Summary, TellsOfTlsOnlyWhenConnectionsWereSecured) {
  const std::string plain_json = summary_json(options_, plan_, result_);
  EXPECT_EQ(plain_json.find("tls"), std::string::npos);
  EXPECT_EQ(summary_text(options_, plan_, result_).find("tls"), std::string::npos);

  Options secured = options_;
  secured.tls.is_on = true;
  result_.latencies.tls_handshake_us.record(1500);
  const std::string json = summary_json(secured, plan_, result_);
  for (const char* part : {"\"tls_handshake\": {", "\"handshakes\": 0", "\"tls\": 0"}) {
    EXPECT_NE(json.find(part), std::string::npos) << part;
  }
  EXPECT_NE(summary_text(secured, plan_, result_).find("tls handshake   p50 1.50"),
            std::string::npos);
}

}  // namespace
}  // namespace holdfast::flood
