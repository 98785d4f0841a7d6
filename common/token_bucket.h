#pragma once

#include <algorithm>
#include <cstdint>

namespace holdfast {

// Lets `rate_per_s` events through a second on average, and up to `burst` at once.
// Time comes in from outside, in microseconds of any monotonic clock.
class TokenBucket final {
 public:
  TokenBucket() = default;
  TokenBucket(double rate_per_s, double burst, uint64_t now_us)
      : rate_per_s_(rate_per_s), burst_(burst), tokens_(burst), updated_us_(now_us) {}

  [[nodiscard]] bool try_take(uint64_t now_us) {
    refill(now_us);
    if (tokens_ < 1.0) return false;
    tokens_ -= 1.0;
    return true;
  }

  // How many events may pass now.
  uint64_t available(uint64_t now_us) {
    refill(now_us);
    return static_cast<uint64_t>(tokens_);
  }

  // A new rate from now on; tokens saved up stay, up to the new burst.
  void set_rate(double rate_per_s, double burst, uint64_t now_us) {
    refill(now_us);
    rate_per_s_ = rate_per_s;
    burst_ = burst;
    tokens_ = std::min(tokens_, burst);
  }

 private:
  void refill(uint64_t now_us) {
    if (now_us <= updated_us_) return;
    const double elapsed_s = static_cast<double>(now_us - updated_us_) / 1e6;
    tokens_ = std::min(burst_, tokens_ + elapsed_s * rate_per_s_);
    updated_us_ = now_us;
  }

  double rate_per_s_ = 0;
  double burst_ = 0;
  double tokens_ = 0;
  uint64_t updated_us_ = 0;
};

}  // namespace holdfast
