#pragma once

#include <event2/event.h>

#include <functional>
#include <memory>
#include <vector>

#include "common/clock.h"

namespace holdfast {

// One thread's libevent base, with callbacks as functions. An event lives as long as its base.
// Thread: made anywhere, then used by the thread that runs it. Other threads reach it through a
// Mailbox's wake descriptor only.
class EventBase final {
 public:
  using Callback = std::function<void()>;

  // A watched descriptor, timer or signal: can be switched off and on again.
  class Watch final {
   public:
    void enable();  // a descriptor or signal
    // A timer, once. With no delay it runs in the next round, after descriptors had their turn.
    void enable_after(Milliseconds delay);
    void enable_every(Milliseconds period);
    void disable();

   private:
    friend class EventBase;
    struct Free {
      void operator()(event* owned) const { event_free(owned); }
    };
    std::unique_ptr<event, Free> event_;
    Callback callback_;
  };

  EventBase();
  EventBase(const EventBase&) = delete;
  EventBase& operator=(const EventBase&) = delete;
  ~EventBase();

  event_base* native() { return base_; }

  // Each returns a watch that is still off. A descriptor's is level-triggered and stays on.
  Watch& watch_readable(int fd, Callback callback);
  Watch& watch_signal(int signal, Callback callback);
  Watch& timer(Callback callback);

  void run();  // until stop()
  // On the thread that runs it: ends run() after this round, or before its first.
  void stop();

 private:
  Watch& make_watch(int fd, short what, Callback callback);

  event_base* base_;
  bool is_stopped_ = false;  // libevent forgets a stop that came before the run
  std::vector<std::unique_ptr<Watch>> watches_;
};

}  // namespace holdfast
