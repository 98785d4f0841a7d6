#include "tools/conn_flood/run.h"

#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "tools/conn_flood/errno_text.h"

namespace holdfast::flood {

Result<SharedRun> SharedRun::create(uint32_t workers) {
  const size_t bytes = sizeof(Header) + sizeof(Tally) * workers;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    return Status::error("no memory for " + std::to_string(workers) +
                         " workers' counters: " + errno_text(errno));
  }
  return SharedRun(memory, bytes, workers);
}

SharedRun::SharedRun(void* memory, size_t bytes, uint32_t workers)
    : memory_(memory), bytes_(bytes), workers_(workers) {
  static_assert(sizeof(Header) % alignof(Tally) == 0);
  static_assert(std::is_trivially_destructible_v<Header> &&
                std::is_trivially_destructible_v<Tally>);
  header_ = new (memory) Header;
  auto* place = static_cast<std::byte*>(memory) + sizeof(Header);
  tallies_ = reinterpret_cast<Tally*>(place);
  for (uint32_t i = 0; i < workers; ++i) new (place + sizeof(Tally) * i) Tally;
}

SharedRun::SharedRun(SharedRun&& other) noexcept
    : memory_(std::exchange(other.memory_, nullptr)),
      bytes_(other.bytes_),
      workers_(other.workers_),
      header_(other.header_),
      tallies_(other.tallies_) {}

SharedRun::~SharedRun() {
  if (memory_ != nullptr) ::munmap(memory_, bytes_);
}

}  // namespace holdfast::flood
