#include "tests/bench/cpu_time.h"

#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace holdfast::bench {

namespace {

struct TaskSum {
  uint64_t ran_ns = 0;
  int tasks = 0;
};

// Adds up the tasks of a process, or those of one name.
Result<TaskSum> sum_of_tasks(int pid, const std::string* name) {
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  std::error_code error;
  TaskSum sum;
  for (const auto& task : std::filesystem::directory_iterator(tasks, error)) {
    std::string comm;
    if (name != nullptr &&
        (!std::getline(std::ifstream(task.path() / "comm"), comm) || comm != *name)) {
      continue;
    }
    uint64_t ran_ns = 0;
    if (!(std::ifstream(task.path() / "schedstat") >> ran_ns)) {
      return Status::error(
          "cannot read " + (task.path() / "schedstat").string() +
          ": the kernel needs CONFIG_SCHED_INFO, and threads must not come and go");
    }
    sum.ran_ns += ran_ns;
    ++sum.tasks;
  }
  if (error) return Status::error("cannot read " + tasks.string() + ": " + error.message());
  return sum;
}

}  // namespace

Result<uint64_t> process_cpu_ns(int pid) {
  const Result<TaskSum> sum = sum_of_tasks(pid, nullptr);
  if (!sum.is_ok()) return sum.status();
  return sum.value().ran_ns;
}

Result<uint64_t> thread_cpu_ns(int pid, const std::string& thread) {
  const Result<TaskSum> sum = sum_of_tasks(pid, &thread);
  if (!sum.is_ok()) return sum.status();
  if (sum.value().tasks == 0) return Status::error("no thread is called " + thread);
  return sum.value().ran_ns;
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
