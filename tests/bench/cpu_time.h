#pragma once

#include <cstdint>
#include <string>

#include "common/status.h"

// Who has used how much of the processors.
// Thread: any.
namespace holdfast::bench {

// Nanoseconds that all threads of a process have run so far, in user mode and in the kernel, up to
// the last tick or switch of each. Source: kernel Documentation/scheduler/sched-stats.rst,
// "/proc/<pid>/schedstat", the first field.
[[nodiscard]] Result<uint64_t> process_cpu_ns(int pid);

// The same of those of its threads that are called `thread`; an error when none is.
[[nodiscard]] Result<uint64_t> thread_cpu_ns(int pid, const std::string& thread);

// The same of the calling process.
[[nodiscard]] uint64_t own_cpu_ns();

// Nanoseconds that all processors have been busy so far, in steps of USER_HZ. 0 when it cannot be
// read. Source: proc(5), /proc/stat.
[[nodiscard]] uint64_t machine_busy_ns();

}  // namespace holdfast::bench
