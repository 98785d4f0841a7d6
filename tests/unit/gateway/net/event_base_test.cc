#include "gateway/net/event_base.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(EventBase, StopInACallbackEndsTheRun) {
  EventBase base;
  int calls = 0;
  base.timer([&] {
        ++calls;
        base.stop();
      })
      .enable_every(Milliseconds{0});
  base.run();
  EXPECT_EQ(calls, 1);
}

// A thread may find its stop among the messages that it reads before it runs.
TEST(EventBase, StopBeforeTheRunEndsItBeforeItsFirstRound) {
  EventBase base;
  int calls = 0;
  base.timer([&] {
        ++calls;
        base.stop();
      })
      .enable_after(Milliseconds{0});
  base.stop();
  base.run();
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace holdfast
