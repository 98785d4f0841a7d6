#include "tools/conn_flood/backoff.h"

#include <algorithm>

namespace holdfast::flood {

uint32_t backoff_limit_ms(uint32_t failures) {
  constexpr uint32_t kDoublingsMax = 8;  // 200 ms << 8 is above the cap
  const uint32_t doublings = std::min(failures == 0 ? 0 : failures - 1, kDoublingsMax);
  return std::min(kBackoffBaseMs << doublings, kBackoffCapMs);
}

uint32_t draw_backoff_ms(uint32_t failures, Random& random) {
  return random.below(backoff_limit_ms(failures) + 1);
}

}  // namespace holdfast::flood
