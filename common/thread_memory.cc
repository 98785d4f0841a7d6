#include "common/thread_memory.h"

#include <cstddef>

// jemalloc's, where it is linked. Source: jemalloc(3), "thread.tcache.flush".
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, size_t* old_bytes,
                                     void* new_value, size_t new_bytes);

namespace holdfast {

void give_back_thread_memory() {
  if (mallctl == nullptr) return;
  [[maybe_unused]] const int error = mallctl("thread.tcache.flush", nullptr, nullptr, nullptr, 0);
}

}  // namespace holdfast
