#include "gateway/sysctl_rules.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace holdfast {
namespace {

using Numbers = std::vector<uint64_t>;

// All devices come back within a minute after a network's outage and the accept thread is held up
// for four seconds: 4/60 of them wait. listen() takes at most 65535 here (the listener's backlog).
Numbers accept_queue(uint64_t connections) {
  return {std::clamp<uint64_t>(connections / 15, 128, 65535)};
}
// A quarter of the devices (one network of several) go dark and are evicted inside a minute.
Numbers quarter(uint64_t connections) { return {connections / 4}; }
// Every connection is closed by this side within the minute that TIME-WAIT lasts (a drain).
Numbers every_one(uint64_t connections) { return {connections}; }
// Pages: one for a socket's unread input and one for its unacknowledged output, each a minimum of
// tcp_rmem and tcp_wmem; pressure at three quarters of that and its end at half.
Numbers buffer_pages(uint64_t connections) {
  return {connections, connections / 2 * 3, connections * 2};
}
// Packets that arrive on one core while it is busy for a tick, when everybody answers a broadcast.
Numbers packet_backlog(uint64_t connections) {
  return {std::clamp<uint64_t>(connections / 25, 300, 16384)};
}
// KiB: a tenth of a second of answers to a broadcast, 2.3 KB each, before reclaim has made room.
Numbers free_memory_kib(uint64_t connections) { return {connections / 4}; }
Numbers hash_buckets(uint64_t connections) { return {connections / 2}; }

template <uint64_t... kValues>
Numbers fixed(uint64_t /*connections*/) {
  return {kValues...};
}

// From here on a machine serves nothing else, and the kernel's defaults for a mixed machine cost
// more than they give.
constexpr uint64_t kDedicated = 50'000;

constexpr std::string_view kOrphanRetries = "net.ipv4.tcp_orphan_retries";

constexpr std::array kRules = std::to_array<SysctlRule>({
    {"fs.epoll.max_user_watches", Compare::kAtLeast, every_one, true, 0,
     "each connection is one epoll watch; beyond the limit epoll_ctl fails with ENOSPC"},
    {"net.core.somaxconn", Compare::kAtLeast, accept_queue, false, 0,
     "it caps the listen backlog; a full accept queue drops handshakes, and devices retry for "
     "seconds"},
    {"net.ipv4.tcp_syncookies", Compare::kExactly, fixed<1>, false, 0,
     "without cookies a SYN flood shuts real devices out; with 2 every connection loses its "
     "options"},
    {"net.ipv4.tcp_mem", Compare::kAtLeast, buffer_pages, false, 0,
     "pages for all TCP buffers together; beyond the limit the kernel drops what arrives and cuts "
     "windows"},
    {"net.ipv4.tcp_max_orphans", Compare::kAtLeast, quarter, false, 0,
     "evicted connections wait without an owner for their last frame to be acknowledged; beyond "
     "the "
     "limit they are reset and the GOAWAY is lost"},
    {"net.ipv4.tcp_max_tw_buckets", Compare::kAtLeast, every_one, false, 0,
     "a drain leaves every connection in TIME-WAIT for a minute; beyond the limit the kernel drops "
     "them early and logs it"},
    {"net.core.netdev_max_backlog", Compare::kAtLeast, packet_backlog, false, 0,
     "packets wait there for a busy core (loopback, RPS); beyond it they are lost"},
    {"net.core.rmem_max", Compare::kAtLeast, fixed<212992>, false, 0,
     "below the kernel's default, programs that set a receive buffer get less than they ask for"},
    {"net.core.wmem_max", Compare::kAtLeast, fixed<212992>, false, 0,
     "below the kernel's default, programs that set a send buffer get less than they ask for"},
    {"net.ipv4.tcp_rmem", Compare::kAtMost, fixed<4096, 131072, 6291456>, false, kDedicated,
     "what one device may pin by sending faster than it is read"},
    {"net.ipv4.tcp_wmem", Compare::kAtMost, fixed<4096, 16384, 4194304>, false, kDedicated,
     "what one device may pin by not reading"},
    {"net.ipv4.tcp_notsent_lowat", Compare::kAtMost, fixed<131072>, false, kDedicated,
     "output of slow devices piles up in the kernel, where no limit of the gateway counts it"},
    {"net.ipv4.tcp_slow_start_after_idle", Compare::kExactly, fixed<0>, false, kDedicated,
     "after each heartbeat's pause a push starts with a small window and takes more round trips"},
    {kOrphanRetries, Compare::kAtMost, fixed<4>, false, kDedicated,
     "0 stands for 8: connections closed without an owner are kept for more than 100 s"},
    {"net.ipv4.tcp_retries2", Compare::kAtMost, fixed<8>, false, kDedicated,
     "a backend that vanished is noticed after 15 minutes"},
    {"net.ipv4.tcp_fin_timeout", Compare::kAtMost, fixed<30>, false, kDedicated,
     "connections whose device never closes its half stay longer"},
    {"net.ipv4.tcp_tw_reuse", Compare::kAtMost, fixed<2>, false, kDedicated,
     "0, 1 and 2 are known; it concerns connections made by this machine only"},
    {"net.ipv4.tcp_keepalive_time", Compare::kAtMost, fixed<600>, false, kDedicated,
     "idle connections to backends outlive the memory of the firewalls between"},
    {"net.ipv4.tcp_keepalive_intvl", Compare::kAtMost, fixed<30>, false, kDedicated,
     "a dead backend is found this many seconds a probe later"},
    {"net.ipv4.tcp_keepalive_probes", Compare::kAtMost, fixed<4>, false, kDedicated,
     "a dead backend is found this many probes later"},
    {"vm.min_free_kbytes", Compare::kAtLeast, free_memory_kib, false, kDedicated,
     "packets that arrive while memory is being reclaimed are dropped"},
    {"net.netfilter.nf_conntrack_buckets", Compare::kAtLeast, hash_buckets, false, kDedicated,
     "long hash chains: every packet of every device walks one"},
    {"net.netfilter.nf_conntrack_tcp_timeout_established", Compare::kAtMost, fixed<7200>, false,
     kDedicated, "entries of vanished devices fill the table for days"},
});

// Looked at by the doctor itself: their verdict depends on more than one number.
constexpr std::array<std::string_view, 7> kFurtherKeys = {
    "fs.nr_open",
    "fs.file-max",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.netfilter.nf_conntrack_max",
    "net.netfilter.nf_conntrack_count",
};

bool is_field_satisfied(Compare compare, uint64_t found, uint64_t needed) {
  switch (compare) {
    case Compare::kAtLeast:
      return found >= needed;
    case Compare::kAtMost:
      return found <= needed;
    case Compare::kExactly:
      return found == needed;
  }
  return false;
}

// The kernel reads an orphan retry count of 0 as 8 (net/ipv4/tcp_timer.c, tcp_orphan_retries).
uint64_t effective(const SysctlRule& rule, uint64_t found) {
  return rule.key == kOrphanRetries && found == 0 ? 8 : found;
}

}  // namespace

std::span<const SysctlRule> sysctl_rules() { return kRules; }

std::vector<std::string_view> sysctl_keys() {
  std::vector<std::string_view> keys(kFurtherKeys.begin(), kFurtherKeys.end());
  for (const SysctlRule& rule : kRules) keys.push_back(rule.key);
  return keys;
}

std::optional<std::vector<uint64_t>> parse_numbers(std::string_view text) {
  std::vector<uint64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    uint64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return std::nullopt;
    numbers.push_back(number);
    at = next;
    if (at != end && *at++ != ' ') return std::nullopt;
  }
  return numbers;
}

bool is_satisfied(const SysctlRule& rule, uint64_t connections, std::span<const uint64_t> found) {
  const std::vector<uint64_t> needed = rule.needed(connections);
  if (found.size() < needed.size()) return false;
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!is_field_satisfied(rule.compare, effective(rule, found[i]), needed[i])) return false;
  }
  return true;
}

std::string mended_value(const SysctlRule& rule, uint64_t connections,
                         std::span<const uint64_t> found) {
  const std::vector<uint64_t> needed = rule.needed(connections);
  std::string text;
  for (size_t i = 0; i < needed.size(); ++i) {
    const bool keeps =
        i < found.size() && is_field_satisfied(rule.compare, effective(rule, found[i]), needed[i]);
    if (i > 0) text += ' ';
    text += std::to_string(keeps ? found[i] : needed[i]);
  }
  return text;
}

}  // namespace holdfast
