#include "gateway/doctor.h"

#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <cstdio>
#include <limits>
#include <optional>

#include "common/log.h"
#include "gateway/port_list.h"
#include "gateway/sysctl_rules.h"

namespace holdfast {
namespace {

constexpr uint64_t kMebibyte = uint64_t{1} << 20;

// The one rule of the accept queue serves the SYN queue too.
constexpr std::string_view kAcceptQueue = "net.core.somaxconn";

uint64_t descriptors_of_its_own(const MachineFacts& facts) {
  return kDescriptorsBesideConnections + kDescriptorsPerCore * facts.cores_allowed;
}

struct Examination {
  const MachineFacts& facts;
  const DoctorPlan& plan;
  uint64_t connections;
  std::vector<Finding> findings;

  void add(Finding finding) {
    if (finding.verdict == Verdict::kOk) finding.mend.clear();
    findings.push_back(std::move(finding));
  }
  std::string_view sysctl(std::string_view key) const {
    const auto at = facts.sysctls.find(key);
    return at == facts.sysctls.end() ? std::string_view{} : at->second;
  }
  bool has_sysctl(std::string_view key) const { return facts.sysctls.contains(key); }
  std::optional<uint64_t> sysctl_number(std::string_view key) const {
    const auto numbers = parse_numbers(sysctl(key));
    if (!numbers || numbers->empty()) return std::nullopt;
    return numbers->front();
  }
  uint64_t descriptors_needed() const { return connections + descriptors_of_its_own(facts); }
};

Verdict fail_unless(bool holds) { return holds ? Verdict::kOk : Verdict::kFail; }
Verdict warn_unless(bool holds) { return holds ? Verdict::kOk : Verdict::kWarn; }

std::string set_command(std::string_view key, std::string_view value) {
  return fmt::format("sudo sysctl -w {}='{}'", key, value);
}

std::string limit_text(uint64_t limit) {
  return limit == std::numeric_limits<uint64_t>::max() ? "unlimited" : fmt::format("{}", limit);
}

std::string mebibytes_text(uint64_t bytes) { return fmt::format("{} MiB", bytes / kMebibyte); }

void examine_descriptor_ceiling(Examination& examination) {
  const uint64_t needed = examination.descriptors_needed();
  const auto found = examination.sysctl_number("fs.nr_open");
  if (!found) return;
  examination.add({
      .name = "fs.nr_open",
      .verdict = fail_unless(*found >= needed),
      .found = fmt::format("{}", *found),
      .needed = fmt::format("{}", needed),
      .mend = set_command("fs.nr_open", fmt::format("{}", needed)),
      .why = "no process's descriptor limit can be raised beyond it, not even by root",
  });
}

// The gateway raises its own soft limit; the hard one is somebody else's to raise.
void examine_descriptors(Examination& examination) {
  const uint64_t needed = examination.descriptors_needed();
  examination.add({
      .name = "descriptors",
      .verdict = fail_unless(examination.facts.descriptors_hard >= needed),
      .found = limit_text(examination.facts.descriptors_hard),
      .needed = fmt::format("{}", needed),
      .mend = fmt::format("sudo prlimit --pid $$ --nofile={}:{}", needed, needed),
      .why = "a connection is a descriptor, and this is the process's hard limit; for a service it "
             "is LimitNOFILE= in the systemd unit",
  });
}

void examine_file_table(Examination& examination) {
  const uint64_t needed = examination.descriptors_needed() + examination.facts.files_open;
  const auto found = examination.sysctl_number("fs.file-max");
  if (!found) return;
  examination.add({
      .name = "fs.file-max",
      .verdict = fail_unless(*found >= needed),
      .found = fmt::format("{}", *found),
      .needed = fmt::format("{}", needed),
      .mend = set_command("fs.file-max", fmt::format("{}", needed)),
      .why = fmt::format("open files of the whole machine, {} of them now; beyond it accept fails "
                         "with ENFILE",
                         examination.facts.files_open),
  });
}

// Idle connections must fit; one message to each at the same time should.
void add_memory_finding(Examination& examination, std::string name, uint64_t available,
                        std::string place) {
  const uint64_t per_connection = kKernelBytesPerConnection + kUserBytesPerConnection;
  const uint64_t idle = kProcessBytes + examination.connections * per_connection;
  const uint64_t busy = idle + examination.connections * kBufferBytesPerConnection;
  const uint64_t holds =
      available > kProcessBytes ? (available - kProcessBytes) / per_connection : 0;
  Finding finding{
      .name = std::move(name),
      .verdict = available < idle   ? Verdict::kFail
                 : available < busy ? Verdict::kWarn
                                    : Verdict::kOk,
      .found = mebibytes_text(available),
      .needed = mebibytes_text(available < idle ? idle : busy),
      .mend = {},
      .why = fmt::format("{} x ({} kernel + {} user bytes) while idle, and {} more each while a "
                         "message is on its way; {}",
                         examination.connections, kKernelBytesPerConnection,
                         kUserBytesPerConnection, kBufferBytesPerConnection, place),
  };
  finding.mend =
      finding.verdict == Verdict::kFail
          ? fmt::format("add memory, or hold at most {}: --set limits.connections_max={}", holds,
                        std::max<uint64_t>(holds, 1))
          : "add memory, or pace what goes to every device (rate_per_s of a push)";
  examination.add(std::move(finding));
}

void examine_memory(Examination& examination) {
  const MachineFacts& facts = examination.facts;
  if (facts.memory_total_bytes > 0) {
    add_memory_finding(examination, "memory", facts.memory_available_bytes,
                       fmt::format("available of {}", mebibytes_text(facts.memory_total_bytes)));
  }
  if (facts.cgroup_limit_bytes) {
    const uint64_t limit = *facts.cgroup_limit_bytes;
    add_memory_finding(examination, "memory.cgroup",
                       limit - std::min(limit, facts.cgroup_used_bytes),
                       fmt::format("free below the control group's limit of {}, which counts the "
                                   "kernel's memory for sockets too",
                                   mebibytes_text(limit)));
  }
}

void examine_cores(Examination& examination) {
  const uint64_t needed = std::max<uint64_t>(
      1, (examination.connections + kConnectionsPerCore - 1) / kConnectionsPerCore);
  examination.add({
      .name = "cores",
      .verdict = warn_unless(examination.facts.cores_allowed >= needed),
      .found = fmt::format("{}", examination.facts.cores_allowed),
      .needed = fmt::format("{}", needed),
      .mend = "taskset -cp 0-$(($(nproc --all) - 1)) $$",
      .why = "cores that this process may run on; one loop a core, and one loop is made for a "
             "million connections",
  });
}

// A listening port that the kernel may give to an outgoing connection is taken when the gateway
// comes back from a restart.
void examine_ports(Examination& examination) {
  constexpr std::string_view kRangeKey = "net.ipv4.ip_local_port_range";
  constexpr std::string_view kReservedKey = "net.ipv4.ip_local_reserved_ports";
  const auto range = parse_numbers(examination.sysctl(kRangeKey));
  if (!range || range->size() != 2) return;
  examination.add({
      .name = std::string(kRangeKey),
      .verdict = Verdict::kOk,
      .found = std::string(examination.sysctl(kRangeKey)),
      .needed = "any",
      .mend = {},
      .why = "ports for connections that this machine makes; a gateway makes few",
  });
  if (!examination.has_sysctl(kReservedKey)) return;
  PortList wanted = PortList::parse(examination.sysctl(kReservedKey));
  std::string exposed;
  for (const uint16_t port : examination.plan.ports) {
    const bool is_in_range = port >= range->front() && port <= range->back();
    if (!is_in_range || wanted.contains(port)) continue;
    exposed += fmt::format("{}{}", exposed.empty() ? "" : ",", port);
    wanted.add(port);
  }
  const std::string_view reserved = examination.sysctl(kReservedKey);
  examination.add({
      .name = std::string(kReservedKey),
      .verdict = warn_unless(exposed.empty()),
      .found = reserved.empty() ? "none" : std::string(reserved),
      .needed = exposed.empty() ? "nothing more" : fmt::format("{} too", exposed),
      .mend = set_command(kReservedKey, wanted.text()),
      .why = fmt::format("a listening port inside {} to {} may be taken by an outgoing connection, "
                         "and the gateway then cannot bind it",
                         range->front(), range->back()),
  });
}

// Loaded but without rules it tracks nothing, and its limits do not matter.
bool is_tracking(const Examination& examination) {
  return examination.sysctl_number("net.netfilter.nf_conntrack_count").value_or(0) > 0;
}

void examine_conntrack(Examination& examination) {
  constexpr std::string_view kMaxKey = "net.netfilter.nf_conntrack_max";
  const auto max = examination.sysctl_number(kMaxKey);
  if (!max) {
    examination.add({.name = std::string(kMaxKey),
                     .verdict = Verdict::kOk,
                     .found = "not loaded",
                     .needed = "nothing",
                     .mend = {},
                     .why = "without connection tracking there is no table to fill"});
    return;
  }
  // A tenth more for entries of connections that have just ended.
  const uint64_t needed = examination.connections + examination.connections / 10;
  const bool tracking = is_tracking(examination);
  examination.add({
      .name = std::string(kMaxKey),
      .verdict = *max >= needed ? Verdict::kOk
                 : tracking     ? Verdict::kFail
                                : Verdict::kWarn,
      .found = fmt::format("{}{}", *max, tracking ? "" : " (tracking nothing now)"),
      .needed = fmt::format("{}", needed),
      .mend = set_command(kMaxKey, fmt::format("{}", needed)),
      .why = "a full table drops the packets of new connections; better still, do not track the "
             "devices' port (packaging/nftables/holdfast-notrack.nft)",
  });
}

bool is_about_conntrack(const SysctlRule& rule) { return rule.key.starts_with("net.netfilter."); }

std::string numbers_text(std::span<const uint64_t> numbers) {
  return fmt::format("{}", fmt::join(numbers, " "));
}

std::string needed_text(const SysctlRule& rule, uint64_t connections) {
  std::string numbers = numbers_text(rule.needed(connections));
  switch (rule.compare) {
    case Compare::kAtLeast:
      return numbers;
    case Compare::kAtMost:
      return "at most " + numbers;
    case Compare::kExactly:
      return "exactly " + numbers;
  }
  return numbers;
}

void examine_rule(Examination& examination, const SysctlRule& rule) {
  if (!examination.has_sysctl(rule.key)) return;
  const std::string_view found = examination.sysctl(rule.key);
  const std::vector<uint64_t> numbers = parse_numbers(found).value_or(std::vector<uint64_t>{});
  const bool applies = examination.connections >= rule.from_connections &&
                       (!is_about_conntrack(rule) || is_tracking(examination));
  const bool holds = !applies || is_satisfied(rule, examination.connections, numbers);
  examination.add({
      .name = std::string(rule.key),
      .verdict = rule.is_fatal ? fail_unless(holds) : warn_unless(holds),
      .found = std::string(found),
      .needed = applies ? needed_text(rule, examination.connections) : "any",
      .mend = set_command(rule.key, mended_value(rule, examination.connections, numbers)),
      .why = std::string(rule.why),
  });
}

// Since Linux 4.4 the accept queue's limit bounds the SYN queue too; this one counts only where
// cookies are off (net/ipv4/tcp_input.c, tcp_conn_request).
void examine_syn_backlog(Examination& examination, const SysctlRule& accept_queue) {
  constexpr std::string_view kKey = "net.ipv4.tcp_max_syn_backlog";
  const auto found = examination.sysctl_number(kKey);
  if (!found) return;
  const bool applies = examination.sysctl_number("net.ipv4.tcp_syncookies") == uint64_t{0};
  const std::string needed = numbers_text(accept_queue.needed(examination.connections));
  const std::vector<uint64_t> numbers = {*found};
  examination.add({
      .name = std::string(kKey),
      .verdict =
          warn_unless(!applies || is_satisfied(accept_queue, examination.connections, numbers)),
      .found = fmt::format("{}", *found),
      .needed = applies ? needed : "any",
      .mend = set_command(kKey, needed),
      .why = "it bounds half-open connections where SYN cookies are off",
  });
}

void examine_rules(Examination& examination) {
  for (const SysctlRule& rule : sysctl_rules()) {
    examine_rule(examination, rule);
    if (rule.key == kAcceptQueue) examine_syn_backlog(examination, rule);
  }
}

}  // namespace

std::string_view verdict_text(Verdict verdict) {
  switch (verdict) {
    case Verdict::kOk:
      return "ok";
    case Verdict::kWarn:
      return "warn";
    case Verdict::kFail:
      return "fail";
  }
  return "fail";
}

uint32_t planned_connections(const MachineFacts& facts, const DoctorPlan& plan) {
  if (plan.connections > 0) return plan.connections;
  const uint64_t left =
      facts.descriptors_hard - std::min(facts.descriptors_hard, descriptors_of_its_own(facts));
  return static_cast<uint32_t>(std::clamp<uint64_t>(left, 1, std::numeric_limits<uint32_t>::max()));
}

std::vector<Finding> examine(const MachineFacts& facts, const DoctorPlan& plan) {
  Examination examination{facts, plan, planned_connections(facts, plan), {}};
  examine_descriptor_ceiling(examination);
  examine_descriptors(examination);
  examine_file_table(examination);
  examine_memory(examination);
  examine_cores(examination);
  examine_ports(examination);
  examine_conntrack(examination);
  examine_rules(examination);
  return std::move(examination.findings);
}

bool has_failure(std::span<const Finding> findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& finding) { return finding.verdict == Verdict::kFail; });
}

void log_findings(std::span<const Finding> findings) {
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::kOk) continue;
    const log::Level level =
        finding.verdict == Verdict::kFail ? log::Level::kError : log::Level::kWarn;
    log::write(level,
               finding.verdict == Verdict::kFail ? "the machine will not hold the connections"
                                                 : "the machine could hold the connections better",
               {{"setting", finding.name},
                {"found", finding.found},
                {"needed", finding.needed},
                {"mend", finding.mend},
                {"why", finding.why}});
  }
}

int run_doctor(const DoctorPlan& plan, bool json) {
  const MachineFacts facts = read_machine_facts();
  const uint32_t connections = planned_connections(facts, plan);
  const std::vector<Finding> findings = examine(facts, plan);
  const std::string text =
      json ? findings_json(findings, connections) : findings_table(findings, connections);
  std::fputs(text.c_str(), stdout);
  return has_failure(findings) ? 1 : 0;
}

}  // namespace holdfast
