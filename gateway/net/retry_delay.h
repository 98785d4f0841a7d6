#pragma once

#include <cstdint>

namespace holdfast {

// Over how long devices that are sent away come back, unless an operator says otherwise.
inline constexpr uint32_t kReconnectWindowMs = 30'000;

// A random moment inside the window (1 to window_ms, 0 for none): what keeps a thousand devices
// that were sent away together from coming back together.
// Thread: any; each has a generator of its own.
uint32_t random_retry_ms(uint32_t window_ms);

}  // namespace holdfast
