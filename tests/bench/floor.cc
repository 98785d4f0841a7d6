#include <pthread.h>
#include <signal.h>
#include <sys/types.h>

#include <cstdio>
#include <string_view>
#include <thread>

#include "tests/bench/floor_acceptor.h"
#include "tests/bench/floor_handover.h"
#include "tests/bench/floor_loop.h"
#include "tests/bench/floor_socket.h"

// The floor under a price: the smallest program that makes the same system calls as the gateway for
// one thing, and does nothing else.
//
//   echo    answers PINGs, all on one thread
//   accept  accepts and welcomes; as in the gateway one thread accepts and another serves, since
//           the price of the accept thread alone is compared, hand-over and its wakes included
//   send    echo, and on SIGUSR1 a PING to every connection
//   close   echo, and on SIGUSR1 GOAWAY to every connection and its end
//
// Prints "ADDRESS:PORT" when it listens. Exit codes: 1 the system refused something, 2 wrong usage.
namespace holdfast::bench {
namespace {

constexpr int kExitUsage = 2;

void block_trigger() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

[[noreturn]] void run_on_one_thread(FloorTask task) {
  FloorLoop loop;
  if (task != FloorTask::kNone) {
    block_trigger();
    loop.do_on_signal(task);
  }
  loop.accept_from(open_listener());
  loop.run();
}

[[noreturn]] void run_on_two_threads() {
  static FloorHandover handover;
  FloorLoop loop;
  loop.take_from(handover);
  std::thread([listener = open_listener()] { run_floor_acceptor(listener, handover); }).detach();
  loop.run();
}

int run(std::string_view mode) {
  if (mode == "echo") run_on_one_thread(FloorTask::kNone);
  if (mode == "send") run_on_one_thread(FloorTask::kSend);
  if (mode == "close") run_on_one_thread(FloorTask::kClose);
  if (mode == "accept") run_on_two_threads();
  std::fprintf(stderr, "usage: bench_floor echo|accept|send|close\n");
  return kExitUsage;
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::run(argc == 2 ? argv[1] : ""); }
