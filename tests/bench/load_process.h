#pragma once

namespace holdfast::bench {

// What every load program asks of the system before it begins: timers that are not late, and no
// signal from a connection that has gone.
void prepare_load_process();

}  // namespace holdfast::bench
