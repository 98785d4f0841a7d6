#pragma once

#include <cstdint>
#include <optional>

namespace holdfast {

// What the kernel says of this process. Sources: proc(5), getrusage(2).
struct ProcessFacts {
  uint64_t resident_bytes = 0;
  double cpu_s = 0;  // user and system, all threads
  // Nothing on kernels before 6.2, which tell it only by listing /proc/self/fd: that takes the
  // better part of a second for a million and would hold up the control thread.
  std::optional<uint64_t> open_descriptors;
};

ProcessFacts read_process_facts();

}  // namespace holdfast
