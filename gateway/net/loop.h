#pragma once

#include <span>
#include <thread>

#include "common/check.h"
#include "common/status.h"
#include "gateway/net/accepted_socket.h"
#include "gateway/net/connection_poller.h"
#include "gateway/net/event_base.h"

namespace holdfast {

// What a loop calls back, all on its own thread.
class LoopHandler {
 public:
  virtual ~LoopHandler() = default;
  virtual void on_started() = 0;
  // A batch of connections that are ready.
  virtual void on_ready(std::span<const ConnectionPoller::Ready> batch) = 0;
  // The wake descriptor is readable.
  virtual void on_wake() = 0;
  // The tick's time has come. Returns how long after it the next one is. Work that it leaves over
  // is taken up by on_rest(), after events had their turn.
  virtual Milliseconds on_tick() = 0;
  virtual void on_rest() = 0;
  // Nothing waits for the loop. Does a little of what can wait; true when there is more of it.
  virtual bool on_idle() = 0;
};

// One pinned thread with a libevent base, whose events are the connection poller (the mailbox's wake
// descriptor and the tick stand in its set too) and what is left over. When nothing is to be done it
// does what can wait, if there is any, a little at a time.
// Thread: open(), start() and join() from the thread that owns it; the rest on its own.
// Owns: the thread and the epoll set.
class Loop final {
 public:
  Loop(LoopIndex index, LoopHandler& handler, int wake_fd);
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  Status open();
  // `cpu`: where to pin the thread, or -1. A failure to pin is logged, not fatal.
  void start(int cpu);
  void join();

  // On the loop's thread.
  ConnectionPoller& poller() { return poller_; }
  void stop();
  // Calls on_rest() in the next round.
  void run_rest_soon();
  // Calls on_idle() when nothing else is to be done, until it says that it has no more.
  void run_when_idle() { is_idle_due_ = true; }

 private:
  void run(int cpu);
  void on_poller_ready();
  void on_tick();
  void on_rest();

  const LoopIndex index_;
  LoopHandler& handler_;
  ConnectionPoller poller_;
  EventBase base_;
  EventBase::Watch* poller_watch_ = nullptr;
  EventBase::Watch* rest_watch_ = nullptr;
  const int wake_fd_;
  uint64_t next_tick_ms_ = 0;
  bool is_rest_due_ = false;
  bool is_idle_due_ = false;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace holdfast
