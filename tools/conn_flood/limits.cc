#include "tools/conn_flood/limits.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>

namespace holdfast::flood {
namespace {

constexpr uint64_t kProcessesMax = 1024;

}  // namespace

uint64_t raise_descriptor_limit(uint64_t wanted) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
  if (limit.rlim_max < wanted) {
    const rlimit raised{wanted, wanted};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0)
      return wanted;  // privileged, and fs.nr_open allows
  }
  const rlimit raised{limit.rlim_max, limit.rlim_max};
  return ::setrlimit(RLIMIT_NOFILE, &raised) == 0 ? limit.rlim_max : limit.rlim_cur;
}

Result<uint32_t> choose_processes(uint32_t connections, uint32_t threads, uint32_t processes,
                                  uint64_t descriptors) {
  const uint64_t reserved = kDescriptorsReserved + threads;
  const uint64_t room = descriptors > reserved ? descriptors - reserved : 0;
  // Workers differ by one client at most, so a process holds up to a client a thread above the
  // mean.
  const uint64_t mean_max = room > threads ? room - threads : 0;
  const std::string limit_text =
      "a process may have " + std::to_string(descriptors) + " descriptors here (ulimit -Hn), ";
  if (mean_max == 0) return Status::error(limit_text + "too few; raise it: ulimit -Hn 1048576");

  const uint64_t needed = (uint64_t{connections} + mean_max - 1) / mean_max;
  if (needed > kProcessesMax) {
    return Status::error(limit_text + "so " + std::to_string(connections) + " connections need " +
                         std::to_string(needed) + " processes, more than the " +
                         std::to_string(kProcessesMax) + " allowed; raise it: ulimit -Hn 1048576");
  }
  if (processes == 0) return static_cast<uint32_t>(needed);
  if (processes < needed) {
    return Status::error(limit_text + "so " + std::to_string(connections) + " connections need " +
                         std::to_string(needed) + " processes: give --processes " +
                         std::to_string(needed) + " or leave it out");
  }
  return processes;
}

}  // namespace holdfast::flood
