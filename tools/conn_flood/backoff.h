#pragma once

#include <cstdint>

#include "tools/conn_flood/random.h"

namespace holdfast::flood {

inline constexpr uint32_t kBackoffBaseMs = 200;
inline constexpr uint32_t kBackoffCapMs = 30'000;

// The longest wait before the attempt that follows `failures` failed ones in a row: 200 ms, doubled
// by each further failure, 30 s at most.
[[nodiscard]] uint32_t backoff_limit_ms(uint32_t failures);

// A wait drawn evenly from 0 to backoff_limit_ms ("full jitter"): clients that a server lost at one
// moment do not come back at one moment.
[[nodiscard]] uint32_t draw_backoff_ms(uint32_t failures, Random& random);

}  // namespace holdfast::flood
