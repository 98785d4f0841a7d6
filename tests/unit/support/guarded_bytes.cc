#include "tests/unit/support/guarded_bytes.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "common/check.h"

namespace holdfast::test {

GuardedBytes::GuardedBytes(std::span<const std::byte> bytes) {
  const auto page_bytes = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const size_t readable_bytes = (bytes.size() / page_bytes + 1) * page_bytes;
  mapping_bytes_ = readable_bytes + page_bytes;
  mapping_ =
      mmap(nullptr, mapping_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  HF_CHECK(mapping_ != MAP_FAILED);
  auto* const guard = static_cast<std::byte*>(mapping_) + readable_bytes;
  HF_CHECK(mprotect(guard, page_bytes, PROT_NONE) == 0);
  std::byte* const first = guard - bytes.size();
  std::copy(bytes.begin(), bytes.end(), first);
  bytes_ = {first, bytes.size()};
}

GuardedBytes::~GuardedBytes() { munmap(mapping_, mapping_bytes_); }

}  // namespace holdfast::test
