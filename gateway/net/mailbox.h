#pragma once

#include <sys/eventfd.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/spsc_ring.h"
#include "common/unique_fd.h"

namespace holdfast {

// Messages from several threads to one, without locks: each sender has a bounded lane of its own,
// so one that floods cannot fill another's.
// Thread: lane i belongs to the thread that was given number i; drain() to the receiving thread.
// Limit: each lane's capacity; post() refuses beyond it and leaves the message untouched.
// Order: kept within a lane. Of what waits in several, the last lane comes first: a mailbox gives it
// to the sender whose word changes how the others' are taken.
template <class Message>
class Mailbox final {
 public:
  // `lane_capacities`: one power of two for each sender.
  explicit Mailbox(const std::vector<size_t>& lane_capacities)
      : wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    HF_CHECK(wake_fd_.is_open());
    for (const size_t capacity : lane_capacities) {
      lanes_.push_back(std::make_unique<SpscRing<Message>>(capacity));
    }
  }

  // Becomes readable when there is something to drain. One write for a whole batch.
  int wake_fd() const { return wake_fd_.get(); }

  // The thread that owns `lane`.
  [[nodiscard]] bool post(size_t lane, Message&& message) {
    if (!lanes_[lane]->try_push(std::move(message))) return false;
    wake();
    return true;
  }
  size_t free_slots(size_t lane) { return lanes_[lane]->free_slots(); }

  // The receiving thread: hands up to `messages_max` messages of each lane to handle(Message&&).
  // When more are left the mailbox wakes its thread again, so that other work gets its turn in
  // between.
  template <class Handle>
  void drain(size_t messages_max, Handle&& handle) {
    uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &ignored, sizeof ignored);
    // From here a sender wakes again. An exchange, not a store: it must see the pushes of every
    // sender that found the flag still set.
    wake_sent_.exchange(false, std::memory_order_acq_rel);
    bool is_more_left = false;
    for (auto lane = lanes_.rbegin(); lane != lanes_.rend(); ++lane) {
      Message message;
      size_t count = 0;
      while (count < messages_max && (*lane)->try_pop(message)) {
        handle(std::move(message));
        ++count;
      }
      is_more_left |= count == messages_max;
    }
    if (is_more_left) wake();
  }

 private:
  void wake() {
    if (wake_sent_.exchange(true, std::memory_order_acq_rel)) return;
    const uint64_t one = 1;
    // Cannot fail: the counter is read before it could reach 2^64.
    [[maybe_unused]] const ssize_t put = ::write(wake_fd_.get(), &one, sizeof one);
  }

  UniqueFd wake_fd_;
  std::atomic<bool> wake_sent_{false};
  std::vector<std::unique_ptr<SpscRing<Message>>> lanes_;
};

}  // namespace holdfast
