#pragma once

#include <cstdint>
#include <vector>

#include "tests/bench/floor_handover.h"

namespace holdfast::bench {

// What a floor program does to every connection when it gets SIGUSR1.
enum class FloorTask : uint8_t {
  kNone,
  kSend,   // sends a PING of 2 bytes
  kClose,  // sends GOAWAY 4003 and its end of the stream in one segment, and closes
};

// One thread that makes the system calls which a server of devices cannot do without (epoll_wait,
// accept4, recv, send, shutdown, close) and nothing else. No deadlines, no limits, no identity; a peer that
// sends half a frame gets nonsense back. Only bench_ping_load talks to it.
//
// The first bytes of a connection are its HELLO and get a WELCOME; every PING after that is sent
// back with PONG's head.
// Thread: the one that calls run().
class FloorLoop final {
 public:
  FloorLoop();
  FloorLoop(const FloorLoop&) = delete;
  FloorLoop& operator=(const FloorLoop&) = delete;

  // Where connections come from: one of the two.
  void accept_from(int listener);
  void take_from(FloorHandover& handover);
  // SIGUSR1 must be blocked. Each time prints {"operations": N, "cpu_ns": N}: the thread's CPU time.
  void do_on_signal(FloorTask task);

  [[noreturn]] void run();

 private:
  void adopt(int fd);
  void accept_all();
  void on_signal();
  uint64_t do_task();
  void answer(int fd);
  void welcome(int fd, const uint8_t* hello);

  const int epoll_;
  int listener_ = -1;
  int signal_fd_ = -1;
  FloorHandover* handover_ = nullptr;
  FloorTask task_ = FloorTask::kNone;
  std::vector<bool> is_welcomed_;  // by descriptor
};

}  // namespace holdfast::bench
