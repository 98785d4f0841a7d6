#pragma once

#include "tests/bench/device_protocol.h"

namespace holdfast::bench {

// The project's own protocol; PINGs carry 8 bytes. Source: docs/protocol.md.
[[nodiscard]] const DeviceProtocol& native_protocol();

}  // namespace holdfast::bench
