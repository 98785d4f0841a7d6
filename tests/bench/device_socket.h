#pragma once

#include <cstdint>

#include "common/address.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace holdfast::bench {

// A blocking socket connected to `target`, on which the HELLO of device number `number` is out. A
// loopback target is reached from one of many addresses, chosen by the number, since one has not
// ports enough.
[[nodiscard]] Result<UniqueFd> connect_device(const Address& target, uint32_t number,
                                              uint16_t heartbeat_s);

}  // namespace holdfast::bench
