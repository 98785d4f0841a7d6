#include "gateway/net/thread_priority.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

namespace holdfast {
namespace {

constexpr uint64_t kSliceNs = 100'000;
constexpr int kNiceness = 19;

// The kernel's struct sched_attr as of Linux 3.14, which every later one takes. Its header cannot
// stand beside <sched.h> of glibc 2.36, which has no name for the call either. Source:
// sched_setattr(2).
struct SchedulingAttributes {
  uint32_t size = sizeof(SchedulingAttributes);
  uint32_t policy = SCHED_OTHER;
  uint64_t flags = 0;
  int32_t nice = 0;
  uint32_t priority = 0;
  uint64_t runtime_ns = 0;
  uint64_t deadline_ns = 0;
  uint64_t period_ns = 0;
};
static_assert(sizeof(SchedulingAttributes) == 48);

}  // namespace

void give_way() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;
  SchedulingAttributes wanted;
  // On Linux this is the calling thread's alone, and going down needs no right (sched(7)).
  wanted.nice = std::min(::getpriority(PRIO_PROCESS, 0) + kNiceness, 19);
  wanted.runtime_ns = kSliceNs;
  [[maybe_unused]] const long done = ::syscall(SYS_sched_setattr, 0, &wanted, 0);
}

void interrupt_nobody() {
  if (::sched_getscheduler(0) != SCHED_OTHER) return;
  const sched_param none{};
  [[maybe_unused]] const int done = ::sched_setscheduler(0, SCHED_BATCH, &none);
}

}  // namespace holdfast
