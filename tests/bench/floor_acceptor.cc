#include "tests/bench/floor_acceptor.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/bench/floor_socket.h"

namespace holdfast::bench {
namespace {

void accept_all(int listener, FloorHandover& handover) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) fail("accept4");
    handover.give(fd);
  }
}

}  // namespace

void run_floor_acceptor(int listener, FloorHandover& handover) {
  pthread_setname_np(pthread_self(), kFloorAcceptThread);
  const int epoll = open_epoll();
  add_to_epoll(epoll, listener, EPOLLIN);
  for (;;) {
    epoll_event ready{};
    const int count = epoll_wait(epoll, &ready, 1, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    if (count > 0) accept_all(listener, handover);
  }
}

}  // namespace holdfast::bench
