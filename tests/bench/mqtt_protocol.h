#pragma once

#include "tests/bench/device_protocol.h"

namespace holdfast::bench {

// As much of MQTT 3.1.1 as a device needs that keeps a connection: CONNECT with a clean session and
// no keep-alive of its own, so that no broker evicts it; CONNACK, PINGREQ, PINGRESP.
// Source: OASIS, MQTT version 3.1.1, sections 3.1, 3.2, 3.12, 3.13.
[[nodiscard]] const DeviceProtocol& mqtt_protocol();

}  // namespace holdfast::bench
