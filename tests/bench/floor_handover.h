#pragma once

#include <array>
#include <atomic>
#include <cstddef>

namespace holdfast::bench {

// Sockets on their way from one thread to another: a ring, and a descriptor that is written once
// for what comes while the receiver has not looked yet.
// Thread: give() one, take() another.
// Limit: kRoom sockets; more end the program.
class FloorHandover final {
 public:
  FloorHandover();
  FloorHandover(const FloorHandover&) = delete;
  FloorHandover& operator=(const FloorHandover&) = delete;

  void give(int fd);

  // Readable when there is something to take.
  int wake_fd() const { return wake_fd_; }
  // Hands every socket to handle(int fd).
  template <class Handle>
  void take(Handle&& handle) {
    forget_wake();
    while (taken_.load(std::memory_order_relaxed) != given_.load(std::memory_order_acquire)) {
      const size_t at = taken_.load(std::memory_order_relaxed);
      handle(ring_[at % kRoom]);
      taken_.store(at + 1, std::memory_order_release);
    }
  }

 private:
  static constexpr size_t kRoom = 65536;

  void forget_wake();

  const int wake_fd_;
  std::array<int, kRoom> ring_{};
  std::atomic<size_t> given_{0};
  std::atomic<size_t> taken_{0};
  std::atomic<bool> is_wake_sent_{false};
};

}  // namespace holdfast::bench
