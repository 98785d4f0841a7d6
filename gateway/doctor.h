#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/machine_facts.h"
#include "gateway/route/session_cost.h"

// Says whether this machine holds a number of connections, and what mends it where it does not.
// Thread: any; none of this is for the data path.
namespace holdfast {

// Descriptors beside those of connections: listeners, the admin interface's connections, the
// engine's, files, the spare; and per core (a loop each) an epoll set inside another, an eventfd
// and a timer.
inline constexpr uint64_t kDescriptorsBesideConnections = 128;
inline constexpr uint64_t kDescriptorsPerCore = 8;

// Kernel memory of one established idle connection at the server: TCP socket 2521, its inode 863,
// dentry 195, file 195, epoll item 128 and wait entry 64, security labels and descriptor table
// about 70, together about 4,040 bytes; with room for what the slabs leave unused. Measured on
// Linux 6.18, x86-64, by tests/bench/kernel_bytes_per_connection.py, which also says how.
inline constexpr uint64_t kKernelBytesPerConnection = 4608;
// User memory of one idle session: the most that the project allows itself.
inline constexpr uint64_t kUserBytesPerConnection = session_cost::kBudgetBytes;
// One unacknowledged message for a device: a socket buffer is accounted in whole pages.
inline constexpr uint64_t kBufferBytesPerConnection = 4096;
// What the process needs with no connection at all: code, threads, arenas, log and admin buffers.
inline constexpr uint64_t kProcessBytes = uint64_t{64} << 20;
// Beyond this many on one core, a core is the limit whatever the devices do.
inline constexpr uint64_t kConnectionsPerCore = 1'000'000;

struct DoctorPlan {
  uint32_t connections = 0;     // 0: as many as the descriptor limit allows
  std::vector<uint16_t> ports;  // that the gateway listens on
};

enum class Verdict : uint8_t {
  kOk,
  kWarn,  // holds, but less well than it could
  kFail,  // the connections will not hold
};

struct Finding {
  std::string name;  // the sysctl's, or "descriptors", "memory", ...
  Verdict verdict = Verdict::kOk;
  std::string found;
  std::string needed;
  std::string mend;  // the exact command; empty when the verdict is ok
  std::string why;   // what goes wrong otherwise
};

std::string_view verdict_text(Verdict verdict);  // "ok", "warn", "fail"

// The plan's connections; for 0 what the hard descriptor limit leaves, at least 1.
uint32_t planned_connections(const MachineFacts& facts, const DoctorPlan& plan);

// Pure. One finding for each thing examined, what is fatal first. A setting that this kernel does
// not have is left out.
std::vector<Finding> examine(const MachineFacts& facts, const DoctorPlan& plan);

bool has_failure(std::span<const Finding> findings);

// A table with the mends below it, or one JSON object: {"connections", "verdict", "findings":
// [{"name", "verdict", "found", "needed", "mend", "why"}]}. Both end in a newline.
std::string findings_table(std::span<const Finding> findings, uint32_t connections);
std::string findings_json(std::span<const Finding> findings, uint32_t connections);

// Logs each warning and each failure (as an error), nothing for what is ok.
void log_findings(std::span<const Finding> findings);

// Examines this machine and prints to standard output. Returns the exit code: 1 on a failure, else
// 0.
int run_doctor(const DoctorPlan& plan, bool json);

}  // namespace holdfast
