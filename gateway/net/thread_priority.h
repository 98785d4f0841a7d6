#pragma once

namespace holdfast {

// How the scheduler is to see the calling thread, which computes for long: it gives way to loops,
// and yet is never starved. Beside a loop it gets a seventieth of a processor that both want, and in
// slices of a tenth of a millisecond: today's scheduler lets a thread finish its slice before one
// that wakes has its turn, and who waits for a loop is a device. The slice is heeded since Linux
// 6.12; before, the weight decides on waking. What cannot be had is left as it is, and so is a
// thread under another policy than the usual one, which somebody chose for it.
void give_way();

}  // namespace holdfast
