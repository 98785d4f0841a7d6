#pragma once

#include <cstdint>

#include "common/address.h"
#include "common/unique_fd.h"

namespace holdfast {

using LoopIndex = uint8_t;
using ListenerIndex = uint8_t;
inline constexpr uint32_t kLoopsMax = 128;
inline constexpr uint32_t kListenersMax = 64;

// A connection on its way from the accept thread to its loop.
struct AcceptedSocket {
  UniqueFd socket;
  Address peer;
  ListenerIndex listener = 0;
  bool has_proxy_header = false;  // the true peer is told by the first bytes
  bool needs_room = false;        // the machine is full: shed the idlest session first
  uint8_t address_epoch = 0;      // counted per address in this epoch of Admission; 0: not counted
};

}  // namespace holdfast
