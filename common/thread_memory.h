#pragma once

namespace holdfast {

// Gives back what the allocator keeps at hand for the calling thread's next allocations. For a
// thread that allocates rarely: blocks that a table has outgrown would otherwise stay with it. Does
// nothing where the program is not linked with jemalloc.
void give_back_thread_memory();

}  // namespace holdfast
