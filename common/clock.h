#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

namespace holdfast {

using Milliseconds = std::chrono::milliseconds;

// A moment on the monotonic clock in whole milliseconds, kept in 32 bits so that a connection's
// record stays small. It wraps every 49.7 days: two moments compare rightly while less than 24.8
// days lie between them, which every deadline here (hours at most) is far below.
class WrappingMs final {
 public:
  constexpr WrappingMs() = default;
  constexpr explicit WrappingMs(uint32_t ms) : ms_(ms) {}

  constexpr uint32_t count() const { return ms_; }
  // Milliseconds from this moment to `other`; negative when `other` lies before it.
  constexpr int32_t ms_until(WrappingMs other) const {
    return static_cast<int32_t>(other.ms_ - ms_);
  }
  constexpr bool is_reached_at(WrappingMs now) const { return ms_until(now) >= 0; }
  constexpr WrappingMs plus_ms(uint32_t ms) const { return WrappingMs(ms_ + ms); }
  constexpr bool operator==(const WrappingMs&) const = default;

 private:
  uint32_t ms_ = 0;
};

inline uint64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000 + static_cast<uint64_t>(now.tv_nsec) / 1000;
}

inline uint64_t monotonic_ms() { return monotonic_us() / 1000; }

inline WrappingMs wrapping_now() { return WrappingMs(static_cast<uint32_t>(monotonic_ms())); }

// User and system time of the calling thread.
inline uint64_t thread_cpu_us() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<uint64_t>(spent.tv_sec) * 1'000'000 +
         static_cast<uint64_t>(spent.tv_nsec) / 1000;
}

// Milliseconds since 1970, as devices see them.
inline uint64_t wall_clock_ms() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1000 + static_cast<uint64_t>(now.tv_nsec) / 1'000'000;
}

}  // namespace holdfast
