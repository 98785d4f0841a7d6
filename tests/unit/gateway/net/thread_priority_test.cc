#include "gateway/net/thread_priority.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <thread>

namespace holdfast {
namespace {

struct Standing {
  int policy;
  int niceness;

  bool operator==(const Standing&) const = default;
};

Standing standing() { return {::sched_getscheduler(0), ::getpriority(PRIO_PROCESS, 0)}; }

// A new thread's after `act`.
template <class Act>
Standing after(Act&& act) {
  Standing seen{};
  std::thread([&] {
    act();
    seen = standing();
  }).join();
  return seen;
}

// Whoever runs the tests may have chosen another policy for them.
class ThreadPriority : public testing::Test {
 protected:
  void SetUp() override {
    if (standing().policy != SCHED_OTHER) GTEST_SKIP() << "the tests run under another policy";
  }
};

TEST_F(ThreadPriority, WhoGivesWayIsTheNicest) {
  const Standing expected{SCHED_OTHER, std::min(standing().niceness + 19, 19)};
  EXPECT_EQ(after(give_way), expected);
}

TEST_F(ThreadPriority, WhoInterruptsNobodyKeepsItsWeight) {
  const Standing expected{SCHED_BATCH, standing().niceness};
  EXPECT_EQ(after(interrupt_nobody), expected);
}

TEST_F(ThreadPriority, APolicyThatSomebodyChoseStays) {
  for (void (*const act)() : {give_way, interrupt_nobody}) {
    const Standing seen = after([act] {
      const sched_param none{};
      ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
      act();
    });
    EXPECT_EQ(seen, (Standing{SCHED_IDLE, standing().niceness}));
  }
}

TEST_F(ThreadPriority, OtherThreadsAreLeftAlone) {
  const Standing before = standing();
  after(give_way);
  after(interrupt_nobody);
  EXPECT_EQ(standing(), before);
}

}  // namespace
}  // namespace holdfast
