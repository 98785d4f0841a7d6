#include "tests/bench/cpu_time.h"

#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace holdfast::bench {

Result<uint64_t> process_cpu_ns(int pid) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code error;
  uint64_t total_ns = 0;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    uint64_t ran_ns = 0;
    if (!(std::ifstream(task.path() / "schedstat") >> ran_ns)) {
      return Status::error(
          "cannot read " + (task.path() / "schedstat").string() +
          ": the kernel needs CONFIG_SCHED_INFO, and threads must not come and go");
    }
    total_ns += ran_ns;
  }
  if (error) return Status::error("cannot read " + tasks.string() + ": " + error.message());
  return total_ns;
}

uint64_t own_cpu_ns() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return static_cast<uint64_t>(spent.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(spent.tv_nsec);
}

uint64_t machine_busy_ns() {
  std::ifstream stat("/proc/stat");
  std::string name;
  uint64_t user = 0;
  uint64_t nice = 0;
  uint64_t system = 0;
  uint64_t idle = 0;
  uint64_t io_wait = 0;
  uint64_t interrupts = 0;
  uint64_t soft_interrupts = 0;
  stat >> name >> user >> nice >> system >> idle >> io_wait >> interrupts >> soft_interrupts;
  if (!stat) return 0;
  const auto ticks_per_s = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  return (user + nice + system + interrupts + soft_interrupts) * (1'000'000'000 / ticks_per_s);
}

}  // namespace holdfast::bench
