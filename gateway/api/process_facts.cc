#include "gateway/api/process_facts.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace holdfast {
namespace {

double to_s(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

uint64_t resident_bytes() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen("/proc/self/statm", "re"),
                                                   &std::fclose);
  unsigned long long resident_pages = 0;
  if (file == nullptr || std::fscanf(file.get(), "%*u %llu", &resident_pages) != 1) return 0;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::optional<uint64_t> open_descriptors() {
  struct stat directory {};
  // The size of the directory is the count since Linux 6.2 (fs/proc/fd.c), and 0 before.
  if (::stat("/proc/self/fd", &directory) != 0 || directory.st_size <= 0) return std::nullopt;
  return static_cast<uint64_t>(directory.st_size);
}

}  // namespace

ProcessFacts read_process_facts() {
  ProcessFacts facts;
  facts.resident_bytes = resident_bytes();
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0)
    facts.cpu_s = to_s(usage.ru_utime) + to_s(usage.ru_stime);
  facts.open_descriptors = open_descriptors();
  return facts;
}

}  // namespace holdfast
