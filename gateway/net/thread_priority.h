#pragma once

namespace holdfast {

// How the scheduler is to see the calling thread, which computes for long: it gives way to loops,
// and yet is never starved. Beside a loop it gets a seventieth of a processor that both want, and in
// slices of a tenth of a millisecond: today's scheduler lets a thread finish its slice before one
// that wakes has its turn, and who waits for a loop is a device. The slice is heeded since Linux
// 6.12; before, the weight decides on waking. What cannot be had is left as it is, and so is a
// thread under another policy than the usual one, which somebody chose for it.
void give_way();

// The calling thread takes a processor from nobody that is running: it waits for a free one, or for
// the running thread's pause or the end of its slice. Others lose nothing over it, and what comes
// meanwhile is done in one go.
void interrupt_nobody();

}  // namespace holdfast
