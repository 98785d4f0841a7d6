#pragma once

#include <sys/epoll.h>

#include <cstdint>
#include <span>

#include "common/clock.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace holdfast {

// All connections of one loop in one epoll set, which itself is a single event of the loop's
// libevent base. Against one libevent event a connection it saves 200 bytes each and costs the same
// CPU, and the set outlives exec().
// Thread: the owning loop only, after open().
class ConnectionPoller final {
 public:
  struct Ready {
    uint32_t slot = 0;
    uint32_t generation = 0;
    uint32_t events = 0;  // EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLHUP, EPOLLERR
  };

  Status open();
  int fd() const { return epoll_.get(); }

  // Once in a connection's life: edge-triggered for input, output and the peer's end of stream, and
  // never modified. Closing the socket takes it out. False when the kernel has no memory or its
  // fs.epoll.max_user_watches is used up.
  [[nodiscard]] bool add(int socket, uint32_t slot, uint32_t generation);

  // The descriptor that other threads wake the loop by stands in the set too, level-triggered.
  [[nodiscard]] Status add_wake(int wake_fd);
  // And a timer: is_ticked() once, this long from now; what was set before is forgotten.
  void set_tick(Milliseconds delay);

  // What is ready; empty when no connection is. Waits until anything is, or not at all. Valid until
  // the next call.
  std::span<const Ready> poll(bool waits);
  // The last poll() found the wake descriptor readable, the tick's time come.
  bool is_woken() const { return is_woken_; }
  bool is_ticked() const { return is_ticked_; }
  // It brought as much as it can: more may be waiting behind it.
  bool is_full() const { return is_full_; }
  static constexpr int kBatchMax = 256;

 private:
  [[nodiscard]] Status add_special(int fd, uint32_t events, uint64_t data);

  UniqueFd epoll_;
  UniqueFd tick_;
  epoll_event events_[kBatchMax];
  Ready ready_[kBatchMax];
  bool is_woken_ = false;
  bool is_ticked_ = false;
  bool is_full_ = false;
};

}  // namespace holdfast
