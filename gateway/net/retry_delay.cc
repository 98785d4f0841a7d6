#include "gateway/net/retry_delay.h"

#include <random>

namespace holdfast {

uint32_t random_retry_ms(uint32_t window_ms) {
  if (window_ms == 0) return 0;
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_int_distribution<uint32_t>{1, window_ms}(generator);
}

}  // namespace holdfast
