#include "gateway/api/metrics.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/gateway/api/node_fixture.h"

namespace holdfast {
namespace {

class Metrics : public test::NodeFixture {
 protected:
  std::string text() {
    AdminFigures admin;
    admin.auth_failures = 3;
    admin.responses[200] = 5;
    ProcessFacts process;
    process.resident_bytes = 4096;
    return metrics_text({.node = view_,
                         .admin = admin,
                         .process = process,
                         .is_ready = true,
                         .is_draining = false,
                         .now_ms = 3500});
  }

  void expect_line(const std::string& line) {
    EXPECT_NE(text().find("\n" + line + "\n"), std::string::npos) << line << "\n" << text();
  }
};

TEST_F(Metrics, FiguresStandInBaseUnitsWithTheirLabels) {
  loops_[1].sessions.set(3);
  loops_[1].cpu_us.set(1'500'000);
  loops_[0].lag_max_us.set(250'000);
  loops_[0].closed[static_cast<size_t>(CloseReason::kShedIdle)].set(2);
  expect_line("holdfast_sessions{loop=\"1\"} 3");
  expect_line("holdfast_loop_cpu_seconds_total{loop=\"1\"} 1.5");
  expect_line("holdfast_loop_lag_seconds{loop=\"0\"} 0.25");
  expect_line("holdfast_connections_closed_total{reason=\"shed_idle\"} 2");
  expect_line("holdfast_connections_closed_total{reason=\"kicked\"} 0");
  expect_line("holdfast_connections_refused_total{reason=\"descriptors\"} 0");
  expect_line("holdfast_uptime_seconds 2.5");
  expect_line("holdfast_ready 1");
  expect_line("holdfast_admin_auth_failures_total 3");
  expect_line("holdfast_admin_responses_total{code=\"200\"} 5");
  expect_line("process_resident_memory_bytes 4096");
  expect_line("holdfast_build_info{version=\"1.2.3\",node=\"n\\\"1\"} 1");
}

TEST_F(Metrics, ACertificateTellsWhenItRunsOut) {
  EXPECT_EQ(text().find("holdfast_tls_certificate_expiry_seconds"), std::string::npos);
  const std::vector<TlsCertificateInfo> certificates = {{"/c/a.pem", "a.example,b", 1'900'000'000}};
  view_.certificates = &certificates;
  expect_line("# TYPE holdfast_tls_certificate_expiry_seconds gauge");
  expect_line(
      "holdfast_tls_certificate_expiry_seconds{file=\"/c/a.pem\",names=\"a.example,b\"} "
      "1900000000");
}

TEST_F(Metrics, TypesAndHelpStandOnceAFamily) {
  expect_line("# TYPE holdfast_sessions gauge");
  expect_line("# TYPE holdfast_heartbeats_total counter");
  const std::string all = text();
  const size_t first = all.find("# HELP holdfast_sessions ");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(all.find("# HELP holdfast_sessions ", first + 1), std::string::npos);
}

}  // namespace
}  // namespace holdfast
