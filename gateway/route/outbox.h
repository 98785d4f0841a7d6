#pragma once

#include <deque>
#include <utility>

#include "common/counter.h"
#include "gateway/net/acceptor.h"
#include "gateway/route/router.h"

namespace holdfast {

// What a loop tells other threads. A message whose mailbox is full waits here and is tried again
// each round, so a take-over or a released address is never lost.
// Thread: the owning loop only.
// Limit: is_full() beyond kWaitingMax; the loop then logs nobody in, which is what makes messages.
class Outbox final {
 public:
  Outbox(LoopIndex loop, Router& router, Mailbox<AcceptorMessage>& acceptor, Counter& deferred)
      : lane_(router.loop_lane(loop)), router_(router), acceptor_(acceptor), deferred_(deferred) {}

  void post_command(LoopIndex loop, LoopCommand&& command) {
    if (commands_.empty() && router_.post_command(lane_, loop, std::move(command))) return;
    commands_.emplace_back(loop, std::move(command));
    deferred_.add();
  }

  void post_to_acceptor(AcceptorMessage&& message) {
    if (to_acceptor_.empty() && acceptor_.post(lane_, std::move(message))) return;
    to_acceptor_.push_back(std::move(message));
    deferred_.add();
  }

  bool is_empty() const { return commands_.empty() && to_acceptor_.empty(); }
  bool is_full() const { return commands_.size() + to_acceptor_.size() >= kWaitingMax; }

  void retry() {
    while (!commands_.empty() && router_.post_command(lane_, commands_.front().first,
                                                      std::move(commands_.front().second))) {
      commands_.pop_front();
    }
    while (!to_acceptor_.empty() && acceptor_.post(lane_, std::move(to_acceptor_.front()))) {
      to_acceptor_.pop_front();
    }
  }

 private:
  static constexpr size_t kWaitingMax = 65536;

  const size_t lane_;
  Router& router_;
  Mailbox<AcceptorMessage>& acceptor_;
  Counter& deferred_;
  std::deque<std::pair<LoopIndex, LoopCommand>> commands_;
  std::deque<AcceptorMessage> to_acceptor_;
};

}  // namespace holdfast
