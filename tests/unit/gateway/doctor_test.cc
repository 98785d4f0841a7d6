#include "gateway/doctor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>

#include <nlohmann/json.hpp>

#include "gateway/sysctl_rules.h"

namespace holdfast {
namespace {

constexpr uint64_t kGibibyte = uint64_t{1} << 30;

// A machine of 16 GiB with four cores, tuned for a million connections.
MachineFacts tuned_machine() {
  MachineFacts facts;
  facts.descriptors_soft = 1024;
  facts.descriptors_hard = 1048576;
  facts.files_open = 2000;
  facts.memory_total_bytes = 16 * kGibibyte;
  facts.memory_available_bytes = 15 * kGibibyte;
  facts.cores_allowed = 4;
  facts.sysctls = {
      {"fs.nr_open", "1048576"},
      {"fs.file-max", "9223372036854775807"},
      {"net.ipv4.tcp_max_syn_backlog", "65535"},
      {"net.ipv4.ip_local_port_range", "32768 60999"},
      {"net.ipv4.ip_local_reserved_ports", ""},
  };
  for (const SysctlRule& rule : sysctl_rules()) {
    facts.sysctls.insert_or_assign(std::string(rule.key), mended_value(rule, 1'000'000, {}));
  }
  std::erase_if(facts.sysctls,
                [](const auto& setting) { return setting.first.starts_with("net.netfilter."); });
  return facts;
}

DoctorPlan million() { return {.connections = 1'000'000, .ports = {7000, 7080}}; }

Finding finding_of(const std::vector<Finding>& findings, std::string_view name) {
  const auto at = std::find_if(findings.begin(), findings.end(),
                               [name](const Finding& finding) { return finding.name == name; });
  EXPECT_NE(at, findings.end()) << name << " was not examined";
  return at == findings.end() ? Finding{} : *at;
}

bool is_examined(const std::vector<Finding>& findings, std::string_view name) {
  return std::any_of(findings.begin(), findings.end(),
                     [name](const Finding& finding) { return finding.name == name; });
}

struct Row {
  const char* what;
  void (*change)(MachineFacts&);
  const char* name;
  Verdict verdict;
  const char* mend;  // a part of it; empty: none expected
};

void set(MachineFacts& facts, const char* key, const char* value) {
  facts.sysctls.insert_or_assign(key, value);
}

const Row kRows[] = {
    {"descriptors exactly enough", [](MachineFacts& f) { f.descriptors_hard = 1'000'160; },
     "descriptors", Verdict::kOk, ""},
    {"one descriptor short", [](MachineFacts& f) { f.descriptors_hard = 1'000'159; }, "descriptors",
     Verdict::kFail, "sudo prlimit --pid $$ --nofile=1000160:1000160"},
    {"unlimited descriptors", [](MachineFacts& f) { f.descriptors_hard = UINT64_MAX; },
     "descriptors", Verdict::kOk, ""},
    {"nr_open below the need", [](MachineFacts& f) { set(f, "fs.nr_open", "1000000"); },
     "fs.nr_open", Verdict::kFail, "sudo sysctl -w fs.nr_open='1000160'"},
    {"file-max counts the files of others",
     [](MachineFacts& f) { set(f, "fs.file-max", "1002159"); }, "fs.file-max", Verdict::kFail,
     "sudo sysctl -w fs.file-max='1002160'"},
    {"file-max exactly enough", [](MachineFacts& f) { set(f, "fs.file-max", "1002160"); },
     "fs.file-max", Verdict::kOk, ""},
    {"too few epoll watches",
     [](MachineFacts& f) { set(f, "fs.epoll.max_user_watches", "900000"); },
     "fs.epoll.max_user_watches", Verdict::kFail,
     "sudo sysctl -w fs.epoll.max_user_watches='1000000'"},
    {"idle connections do not fit",
     [](MachineFacts& f) { f.memory_available_bytes = 4 * kGibibyte; }, "memory", Verdict::kFail,
     "--set limits.connections_max="},
    {"idle connections fit, a message to each does not",
     [](MachineFacts& f) { f.memory_available_bytes = 6 * kGibibyte; }, "memory", Verdict::kWarn,
     "rate_per_s"},
    {"a control group leaves too little",
     [](MachineFacts& f) {
       f.cgroup_limit_bytes = 8 * kGibibyte;
       f.cgroup_used_bytes = 7 * kGibibyte;
     },
     "memory.cgroup", Verdict::kFail, "--set limits.connections_max="},
    {"a control group already over its limit",
     [](MachineFacts& f) {
       f.cgroup_limit_bytes = 1 * kGibibyte;
       f.cgroup_used_bytes = 2 * kGibibyte;
     },
     "memory.cgroup", Verdict::kFail, "hold at most 0"},
    {"no core known", [](MachineFacts& f) { f.cores_allowed = 0; }, "cores", Verdict::kWarn,
     "taskset"},
    {"ports outside the range", [](MachineFacts&) {}, "net.ipv4.ip_local_reserved_ports",
     Verdict::kOk, ""},
    {"a listening port inside the range",
     [](MachineFacts& f) {
       set(f, "net.ipv4.ip_local_port_range", "1024 65535");
       set(f, "net.ipv4.ip_local_reserved_ports", "9000-9002,7000");
     },
     "net.ipv4.ip_local_reserved_ports", Verdict::kWarn,
     "sudo sysctl -w net.ipv4.ip_local_reserved_ports='7000,7080,9000-9002'"},
    {"both listening ports reserved",
     [](MachineFacts& f) {
       set(f, "net.ipv4.ip_local_port_range", "1024 65535");
       set(f, "net.ipv4.ip_local_reserved_ports", "7000-7100");
     },
     "net.ipv4.ip_local_reserved_ports", Verdict::kOk, ""},
    {"no connection tracking", [](MachineFacts&) {}, "net.netfilter.nf_conntrack_max", Verdict::kOk,
     ""},
    {"a small table that tracks nothing",
     [](MachineFacts& f) {
       set(f, "net.netfilter.nf_conntrack_max", "262144");
       set(f, "net.netfilter.nf_conntrack_count", "0");
     },
     "net.netfilter.nf_conntrack_max", Verdict::kWarn,
     "sudo sysctl -w net.netfilter.nf_conntrack_max='1100000'"},
    {"a small table in use",
     [](MachineFacts& f) {
       set(f, "net.netfilter.nf_conntrack_max", "262144");
       set(f, "net.netfilter.nf_conntrack_count", "3");
     },
     "net.netfilter.nf_conntrack_max", Verdict::kFail,
     "sudo sysctl -w net.netfilter.nf_conntrack_max='1100000'"},
    {"a short accept queue", [](MachineFacts& f) { set(f, "net.core.somaxconn", "4096"); },
     "net.core.somaxconn", Verdict::kWarn, "sudo sysctl -w net.core.somaxconn='65535'"},
    {"a short SYN queue with cookies",
     [](MachineFacts& f) { set(f, "net.ipv4.tcp_max_syn_backlog", "128"); },
     "net.ipv4.tcp_max_syn_backlog", Verdict::kOk, ""},
    {"a short SYN queue without cookies",
     [](MachineFacts& f) {
       set(f, "net.ipv4.tcp_max_syn_backlog", "128");
       set(f, "net.ipv4.tcp_syncookies", "0");
     },
     "net.ipv4.tcp_max_syn_backlog", Verdict::kWarn,
     "sudo sysctl -w net.ipv4.tcp_max_syn_backlog='65535'"},
    {"one field of a vector too small",
     [](MachineFacts& f) { set(f, "net.ipv4.tcp_mem", "3000000 3000000 1000"); },
     "net.ipv4.tcp_mem", Verdict::kWarn,
     "sudo sysctl -w net.ipv4.tcp_mem='3000000 3000000 2000000'"},
    {"a vector with a field missing",
     [](MachineFacts& f) { set(f, "net.ipv4.tcp_mem", "3000000"); }, "net.ipv4.tcp_mem",
     Verdict::kWarn, "sudo sysctl -w net.ipv4.tcp_mem='3000000 1500000 2000000'"},
    {"a value that is no number", [](MachineFacts& f) { set(f, "net.ipv4.tcp_mem", "lots"); },
     "net.ipv4.tcp_mem", Verdict::kWarn, "'1000000 1500000 2000000'"},
    {"orphan retries of 0 stand for 8",
     [](MachineFacts& f) { set(f, "net.ipv4.tcp_orphan_retries", "0"); },
     "net.ipv4.tcp_orphan_retries", Verdict::kWarn,
     "sudo sysctl -w net.ipv4.tcp_orphan_retries='4'"},
    {"orphan retries of 1", [](MachineFacts& f) { set(f, "net.ipv4.tcp_orphan_retries", "1"); },
     "net.ipv4.tcp_orphan_retries", Verdict::kOk, ""},
};

TEST(Doctor, EachFactGivesItsVerdictAndItsMend) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.what);
    MachineFacts facts = tuned_machine();
    row.change(facts);
    const Finding finding = finding_of(examine(facts, million()), row.name);
    EXPECT_EQ(verdict_text(finding.verdict), verdict_text(row.verdict));
    if (row.verdict == Verdict::kOk) {
      EXPECT_EQ(finding.mend, "");
    } else {
      EXPECT_NE(finding.mend.find(row.mend), std::string::npos) << finding.mend;
    }
    EXPECT_NE(finding.why, "");
  }
}

TEST(Doctor, TunedMachineHoldsAMillionWithoutAWarning) {
  for (const Finding& finding : examine(tuned_machine(), million())) {
    EXPECT_EQ(verdict_text(finding.verdict), "ok") << finding.name << ": " << finding.found;
  }
}

// What kernels of 2022 to 2025 have on a small machine: good enough for the numbers of a first try.
TEST(Doctor, StockMachineOfTwoGibibytesHoldsTenThousandWithoutAWarning) {
  MachineFacts facts = tuned_machine();
  facts.descriptors_hard = 524288;
  facts.memory_total_bytes = 2 * kGibibyte;
  facts.memory_available_bytes = 1 * kGibibyte;
  facts.cores_allowed = 1;
  facts.sysctls = {
      {"fs.nr_open", "1048576"},
      {"fs.file-max", "196608"},
      {"fs.epoll.max_user_watches", "440000"},
      {"net.core.somaxconn", "4096"},
      {"net.core.netdev_max_backlog", "1000"},
      {"net.core.rmem_max", "212992"},
      {"net.core.wmem_max", "212992"},
      {"net.ipv4.ip_local_port_range", "32768 60999"},
      {"net.ipv4.ip_local_reserved_ports", ""},
      {"net.ipv4.tcp_mem", "22000 29000 44000"},
      {"net.ipv4.tcp_rmem", "4096 131072 6291456"},
      {"net.ipv4.tcp_wmem", "4096 16384 4194304"},
      {"net.ipv4.tcp_max_orphans", "8192"},
      {"net.ipv4.tcp_max_tw_buckets", "16384"},
      {"net.ipv4.tcp_max_syn_backlog", "128"},
      {"net.ipv4.tcp_syncookies", "1"},
      {"net.ipv4.tcp_orphan_retries", "0"},
      {"net.ipv4.tcp_retries2", "15"},
      {"net.ipv4.tcp_fin_timeout", "60"},
      {"net.ipv4.tcp_keepalive_time", "7200"},
      {"net.ipv4.tcp_slow_start_after_idle", "1"},
      {"net.ipv4.tcp_notsent_lowat", "4294967295"},
      {"vm.min_free_kbytes", "45056"},
  };
  for (const Finding& finding : examine(facts, {.connections = 10'000, .ports = {7000, 7080}})) {
    EXPECT_EQ(verdict_text(finding.verdict), "ok") << finding.name << ": " << finding.found;
  }
}

TEST(Doctor, SettingThatTheKernelLacksIsLeftOut) {
  MachineFacts facts = tuned_machine();
  facts.sysctls.clear();
  const std::vector<Finding> findings = examine(facts, million());
  EXPECT_FALSE(is_examined(findings, "net.ipv4.tcp_mem"));
  EXPECT_FALSE(is_examined(findings, "fs.nr_open"));
  EXPECT_FALSE(is_examined(findings, "net.ipv4.ip_local_reserved_ports"));
  EXPECT_FALSE(has_failure(findings));
}

TEST(Doctor, ControlGroupWithoutALimitIsLeftOut) {
  EXPECT_FALSE(is_examined(examine(tuned_machine(), million()), "memory.cgroup"));
}

TEST(Doctor, PlanWithoutANumberTakesWhatTheDescriptorLimitLeaves) {
  MachineFacts facts;
  facts.cores_allowed = 2;
  facts.descriptors_hard = 20'000;
  EXPECT_EQ(planned_connections(facts, {}), 19'856U);
  EXPECT_EQ(planned_connections(facts, {.connections = 5, .ports = {}}), 5U);
  facts.descriptors_hard = 100;
  EXPECT_EQ(planned_connections(facts, {}), 1U);
  facts.descriptors_hard = UINT64_MAX;
  EXPECT_EQ(planned_connections(facts, {}), UINT32_MAX);
}

TEST(Doctor, ReserveOfTheDescriptorTableComesBeforeTheLimitThatItBounds) {
  // The mends are carried out from the top, and no limit can be raised beyond fs.nr_open.
  const std::vector<Finding> findings = examine(tuned_machine(), million());
  ASSERT_GE(findings.size(), 2U);
  EXPECT_EQ(findings[0].name, "fs.nr_open");
  EXPECT_EQ(findings[1].name, "descriptors");
}

TEST(Doctor, OnlyAFailureIsAFailure) {
  std::vector<Finding> findings(2);
  EXPECT_FALSE(has_failure(findings));
  findings[1].verdict = Verdict::kWarn;
  EXPECT_FALSE(has_failure(findings));
  findings[0].verdict = Verdict::kFail;
  EXPECT_TRUE(has_failure(findings));
}

TEST(Doctor, TableIsAlignedAndGivesMendsBelow) {
  const std::vector<Finding> findings = {
      {"a.long.name", Verdict::kOk, "1", "1", "", "reason"},
      {"short", Verdict::kFail, "12345", "99999", "do this", "because"},
  };
  EXPECT_EQ(findings_table(findings, 7),
            "      setting      found  needed\n"
            "ok    a.long.name  1      1\n"
            "fail  short        12345  99999\n"
            "\n"
            "fail short: because\n"
            "     do this\n"
            "\n"
            "7 connections will NOT hold.\n");
}

TEST(Doctor, TableNamesTheProfileThatMendsKernelSettings) {
  const std::vector<Finding> findings = {
      {"net.core.somaxconn", Verdict::kWarn, "1", "2", "sudo sysctl -w net.core.somaxconn='2'",
       "x"},
  };
  EXPECT_NE(findings_table(findings, 100'000).find("sudo tools/sysctl gateway-100k"),
            std::string::npos);
  EXPECT_NE(findings_table(findings, 1'000'001).find("sudo tools/sysctl gateway-2m"),
            std::string::npos);
  EXPECT_NE(findings_table(findings, 100'001).find("sudo tools/sysctl gateway-1m"),
            std::string::npos);
  EXPECT_EQ(findings_table({}, 100'000).find("tools/sysctl"), std::string::npos);
}

TEST(Doctor, JsonHasTheWorstVerdictAndEveryFinding) {
  const std::vector<Finding> findings = {
      {"one", Verdict::kWarn, "1", "2", "mend it", "why \"so\""},
      {"two", Verdict::kOk, "1", "1", "", "fine"},
  };
  const nlohmann::json report = nlohmann::json::parse(findings_json(findings, 42));
  EXPECT_EQ(report["connections"], 42);
  EXPECT_EQ(report["verdict"], "warn");
  ASSERT_EQ(report["findings"].size(), 2U);
  EXPECT_EQ(report["findings"][0], (nlohmann::json{{"name", "one"},
                                                   {"verdict", "warn"},
                                                   {"found", "1"},
                                                   {"needed", "2"},
                                                   {"mend", "mend it"},
                                                   {"why", "why \"so\""}}));
  EXPECT_EQ(report["findings"][1]["verdict"], "ok");
}

// The settings of a profile in sysctl/, as the kernel would print them once it is applied.
std::map<std::string, std::string, std::less<>> profile_settings(const std::string& name) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / "../../..";
  std::ifstream file(root / "sysctl" / name);
  EXPECT_TRUE(file.is_open()) << name;
  std::map<std::string, std::string, std::less<>> settings;
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find(" = ");
    if (line.starts_with('#') || equals == std::string::npos) continue;
    settings.emplace(line.substr(0, equals), line.substr(equals + 3));
  }
  return settings;
}

class DoctorProfile : public testing::TestWithParam<std::pair<const char*, uint32_t>> {};

TEST_P(DoctorProfile, AppliedLeavesNothingToMend) {
  MachineFacts facts = tuned_machine();
  facts.sysctls = profile_settings(GetParam().first);
  facts.sysctls["net.netfilter.nf_conntrack_count"] = "1";
  facts.memory_available_bytes = 30 * kGibibyte;
  facts.descriptors_hard = uint64_t{1} << 21;
  const DoctorPlan plan{.connections = GetParam().second, .ports = {7000, 7080}};
  for (const Finding& finding : examine(facts, plan)) {
    EXPECT_EQ(verdict_text(finding.verdict), "ok")
        << finding.name << ": " << finding.found << ", needed " << finding.needed;
  }
}

TEST_P(DoctorProfile, EveryKeyOfItIsExamined) {
  MachineFacts facts = tuned_machine();
  facts.sysctls = profile_settings(GetParam().first);
  const std::vector<Finding> findings = examine(facts, million());
  const std::vector<std::string_view> read = sysctl_keys();
  for (const auto& [key, value] : facts.sysctls) {
    EXPECT_TRUE(is_examined(findings, key)) << key;
    EXPECT_NE(std::find(read.begin(), read.end(), key), read.end()) << key << " is not read";
  }
}

INSTANTIATE_TEST_SUITE_P(Profiles, DoctorProfile,
                         testing::Values(std::pair{"gateway-100k.conf", 100'000U},
                                         std::pair{"gateway-1m.conf", 1'000'000U},
                                         std::pair{"gateway-2m.conf", 2'000'000U}));

}  // namespace
}  // namespace holdfast
