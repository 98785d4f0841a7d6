#include "tests/bench/floor_handover.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "tests/bench/floor_socket.h"

namespace holdfast::bench {

FloorHandover::FloorHandover() : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (wake_fd_ < 0) fail("eventfd");
}

void FloorHandover::give(int fd) {
  const size_t at = given_.load(std::memory_order_relaxed);
  if (at - taken_.load(std::memory_order_acquire) == kRoom) {
    errno = ENOBUFS;
    fail("hand over");
  }
  ring_[at % kRoom] = fd;
  given_.store(at + 1, std::memory_order_release);
  if (is_wake_sent_.exchange(true, std::memory_order_acq_rel)) return;
  const uint64_t one = 1;
  if (write(wake_fd_, &one, sizeof one) != sizeof one) fail("write");
}

void FloorHandover::forget_wake() {
  uint64_t ignored = 0;
  [[maybe_unused]] const ssize_t got = read(wake_fd_, &ignored, sizeof ignored);
  // An exchange, not a store: it must see what was given by whoever found the flag still set.
  is_wake_sent_.exchange(false, std::memory_order_acq_rel);
}

}  // namespace holdfast::bench
