#include "gateway/net/mailbox.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

namespace holdfast {
namespace {

bool is_readable(int fd) {
  pollfd watched{.fd = fd, .events = POLLIN, .revents = 0};
  return poll(&watched, 1, 0) == 1;
}

TEST(Mailbox, OneWakeForABatch) {
  Mailbox<int> mailbox({4});
  EXPECT_FALSE(is_readable(mailbox.wake_fd()));
  ASSERT_TRUE(mailbox.post(0, 1));
  ASSERT_TRUE(mailbox.post(0, 2));
  uint64_t wakes = 0;
  ASSERT_EQ(read(mailbox.wake_fd(), &wakes, sizeof wakes), 8);
  EXPECT_EQ(wakes, 1u);
}

TEST(Mailbox, AFullLaneRefusesAndLeavesTheMessage) {
  Mailbox<std::unique_ptr<int>> mailbox({2, 2});
  ASSERT_TRUE(mailbox.post(0, std::make_unique<int>(1)));
  ASSERT_TRUE(mailbox.post(0, std::make_unique<int>(2)));
  auto third = std::make_unique<int>(3);
  EXPECT_FALSE(mailbox.post(0, std::move(third)));
  ASSERT_NE(third, nullptr);
  EXPECT_TRUE(mailbox.post(1, std::move(third)));
}

TEST(Mailbox, DrainKeepsALanesOrderAndWakesAgainForTheRest) {
  Mailbox<int> mailbox({8});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(mailbox.post(0, int{i}));
  std::vector<int> got;
  mailbox.drain(3, [&got](int&& message) { got.push_back(message); });
  EXPECT_EQ(got, (std::vector{0, 1, 2}));
  EXPECT_TRUE(is_readable(mailbox.wake_fd()));
  mailbox.drain(3, [&got](int&& message) { got.push_back(message); });
  EXPECT_EQ(got, (std::vector{0, 1, 2, 3, 4}));
  EXPECT_FALSE(is_readable(mailbox.wake_fd()));
}

TEST(Mailbox, NothingIsLostBetweenThreadsThatWaitForItsDescriptor) {
  constexpr uint64_t kMessages = 50'000;
  constexpr size_t kSenders = 3;
  Mailbox<uint64_t> mailbox(std::vector<size_t>(kSenders, 64));
  std::vector<std::thread> senders;
  for (size_t lane = 0; lane < kSenders; ++lane) {
    senders.emplace_back([&mailbox, lane] {
      for (uint64_t i = 1; i <= kMessages; ++i) {
        while (!mailbox.post(lane, uint64_t{i})) std::this_thread::yield();
      }
    });
  }
  uint64_t count = 0;
  uint64_t sum = 0;
  while (count < kSenders * kMessages) {
    pollfd watched{.fd = mailbox.wake_fd(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(poll(&watched, 1, 10'000), 1) << "a wake was lost after " << count;
    mailbox.drain(32, [&](uint64_t&& message) {
      ++count;
      sum += message;
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(sum, kSenders * kMessages * (kMessages + 1) / 2);
}

}  // namespace
}  // namespace holdfast
