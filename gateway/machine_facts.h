#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace holdfast {

// What the doctor knows about the machine and this process: plain values, so that an examination
// can be tested without the machine.
struct MachineFacts {
  uint64_t descriptors_soft = 0;  // RLIMIT_NOFILE
  uint64_t descriptors_hard = 0;
  uint64_t files_open = 0;  // on the whole machine, fs.file-nr
  // Kernel settings by sysctl name, words separated by one space. A key that this kernel does not
  // have is absent.
  std::map<std::string, std::string, std::less<>> sysctls;
  uint64_t memory_total_bytes = 0;
  uint64_t memory_available_bytes = 0;
  // The tightest memory limit among this process's control groups, v1 or v2; none when unlimited.
  std::optional<uint64_t> cgroup_limit_bytes;
  uint64_t cgroup_used_bytes = 0;  // of the group that has the tightest limit
  uint32_t cores_allowed = 0;      // by affinity; what loops can be pinned to
};

// Reads /proc, /sys/fs/cgroup and the limits of this process. Never fails: what cannot be read
// keeps its default (0, absent).
MachineFacts read_machine_facts();

// A directory of control group `path` and every one above it, innermost first: limits add up, the
// tightest holds. `mount` is where the hierarchy is mounted. "/a/b" under "/m": /m/a/b, /m/a, /m.
std::vector<std::string> control_group_directories(const std::string& mount,
                                                   const std::string& path);

}  // namespace holdfast
