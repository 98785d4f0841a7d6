#pragma once

#include "tests/bench/floor_handover.h"

namespace holdfast::bench {

// What the thread is called in /proc.
inline constexpr const char* kFloorAcceptThread = "floor-accept";

// Takes connections off the listener and gives them to another thread, and nothing else: no
// admission, no counters, not even the peer's address. Does not return.
// Thread: its own; it names itself kFloorAcceptThread.
[[noreturn]] void run_floor_acceptor(int listener, FloorHandover& handover);

}  // namespace holdfast::bench
