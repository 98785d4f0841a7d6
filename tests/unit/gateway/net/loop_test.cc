#include "gateway/net/loop.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <cstdint>
#include <string>
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
  bool on_idle() override {
    ++idle_moments;
    return false;
  }

  bool is_crowd_there() const { return served < kCrowd; }

  Loop* loop = nullptr;
  size_t served = 0;
  size_t ticks = 0;
  size_t wakes = 0;
  size_t idle_moments = 0;
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
  EXPECT_EQ(handler.idle_moments, 0u);
}

// Asks for idle moments and for the rest of its work in turn, and is woken in between.
class IdleHandler final : public LoopHandler {
 public:
  static constexpr int kSteps = 20;

  explicit IdleHandler(int wake_fd) : wake_fd_(wake_fd) {}

  void on_started() override { loop->run_when_idle(); }
  void on_ready(std::span<const ConnectionPoller::Ready>) override {}
  void on_wake() override {
    eventfd_t ignored = 0;
    eventfd_read(wake_fd_, &ignored);
    said += 'w';
  }
  Milliseconds on_tick() override { return Milliseconds{60'000}; }
  void on_rest() override { said += 'r'; }
  bool on_idle() override {
    said += 'i';
    if (++steps == kSteps) loop->stop();
    if (steps % 4 == 1) eventfd_write(wake_fd_, 1);
    if (steps % 4 == 3) loop->run_rest_soon();
    return true;
  }

  Loop* loop = nullptr;
  int steps = 0;
  std::string said;

 private:
  const int wake_fd_;
};

TEST(Loop, IdleMomentsComeBehindEverythingElse) {
  const UniqueFd wake = open_event(0);
  IdleHandler handler(wake.get());
  Loop loop(0, handler, wake.get());
  handler.loop = &loop;
  ASSERT_TRUE(loop.open().is_ok());
  loop.start(-1);
  loop.join();
  std::string expected;
  for (int step = 1; step <= IdleHandler::kSteps; ++step) {
    expected += 'i';
    if (step % 4 == 1) expected += 'w';
    if (step % 4 == 3) expected += 'r';
  }
  EXPECT_EQ(handler.said, expected);
}

}  // namespace
}  // namespace holdfast
