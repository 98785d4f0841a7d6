#pragma once

// How the system's scheduler is to see the calling thread. What cannot be had is left as it is: both
// only make waits shorter.
namespace holdfast {

// A loop: it runs for moments, and every one of them somebody waits for. It asks for slices of a
// tenth of a millisecond, so that when it wakes it need not wait until whoever has the processor
// has used up his of three. Heeded since Linux 6.12; before, nothing changes. No effect on a thread
// under another policy than the usual one, which somebody chose for it.
void prefer_short_waits();

// A thread that computes for long: beside a loop it gets a thirtieth of a processor that both want,
// so it gives way and yet is never starved.
void give_way();

}  // namespace holdfast
