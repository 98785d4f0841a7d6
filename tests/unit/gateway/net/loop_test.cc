#include "gateway/net/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <thread>
#include <vector>

#include "common/unique_fd.h"

namespace holdfast {
namespace {

constexpr Milliseconds kTick{4};
constexpr Milliseconds kBatchTakes{3};
constexpr size_t kBatches = 12;
constexpr size_t kCrowd = kBatches * ConnectionPoller::kBatchMax;

UniqueFd open_event(unsigned value) { return UniqueFd(eventfd(value, EFD_NONBLOCK | EFD_CLOEXEC)); }

// Takes a while for each batch, and writes down what came how often before the crowd's last event.
class BusyHandler final : public LoopHandler {
 public:
  void on_started() override {}
  void on_ready(std::span<const ConnectionPoller::Ready> batch) override {
    std::this_thread::sleep_for(kBatchTakes);
    served += batch.size();
  }
  void on_wake() override { wakes += size_t{is_crowd_there()}; }
  Milliseconds on_tick() override {
    if (!is_crowd_there()) loop->stop();
    ticks += size_t{is_crowd_there()};
    return kTick;
  }
  void on_rest() override {}

  bool is_crowd_there() const { return served < kCrowd; }

  Loop* loop = nullptr;
  size_t served = 0;
  size_t ticks = 0;
  size_t wakes = 0;
};

TEST(Loop, ACrowdOfEventsHoldsUpNeitherTheTickNorOtherThreads) {
  const UniqueFd wake = open_event(0);
  BusyHandler handler;
  Loop loop(0, handler, wake.get());
  handler.loop = &loop;
  ASSERT_TRUE(loop.open().is_ok());
  std::vector<UniqueFd> crowd;
  for (size_t i = 0; i < kCrowd; ++i) {
    crowd.push_back(open_event(1));  // readable from the beginning, before the first tick is
    ASSERT_TRUE(loop.poller().add(crowd.back().get(), static_cast<uint32_t>(i), 1));
  }
  loop.start(-1);
  loop.join();
  EXPECT_EQ(handler.served, kCrowd);
  // One is due with about every second batch; waiting for its turn it would come behind them all.
  EXPECT_GE(handler.ticks, kBatches / 4);
  EXPECT_GE(handler.wakes, kBatches / 4);
}

}  // namespace
}  // namespace holdfast
