#include "gateway/descriptor_limit.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>
#include <system_error>

namespace holdfast {

Result<uint32_t> raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
    return Status::error(std::string("getrlimit RLIMIT_NOFILE: ") + std::strerror(errno));
  }
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised = limit;
    raised.rlim_cur = limit.rlim_max;
    // Refused when the hard limit lies above fs.nr_open; the soft one serves then.
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  constexpr rlim_t kMost = 1u << 30;
  return static_cast<uint32_t>(std::min(limit.rlim_cur, kMost));
}

void grow_descriptor_table(uint32_t limit) {
  // Eight bytes an entry: containers have limits of 10^9, which nobody means.
  constexpr uint32_t kGrownMax = 4'194'304;
  limit = std::min(limit, kGrownMax);
  if (limit == 0) return;
  const int source = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (source < 0) return;
  const int highest = ::fcntl(source, F_DUPFD_CLOEXEC, static_cast<int>(limit) - 1);
  if (highest >= 0) ::close(highest);
  ::close(source);
}

uint32_t count_open_descriptors() {
  std::error_code failure;
  uint32_t count = 0;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", failure), end;
       !failure && entry != end; entry.increment(failure)) {
    ++count;
  }
  return count > 0 ? count - 1 : 0;  // less the one that reads the folder
}

}  // namespace holdfast
