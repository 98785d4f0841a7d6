#include "tests/bench/floor_loop.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <string_view>

#include "tests/bench/floor_socket.h"

namespace holdfast::bench {
namespace {

using namespace std::string_view_literals;

constexpr uint8_t kWelcomeHead = 0x80;
constexpr uint8_t kPongHead = 0x20;
constexpr size_t kWelcomeBodyBytes = 20;
constexpr size_t kHelloHeartbeatAt = 6;  // behind head, length and magic
constexpr unsigned kMisses = 3;
constexpr std::string_view kPing = "\x10\x00"sv;
// Code 4003, no time to wait, the gateway's reason, no other address.
constexpr std::string_view kGoaway = "\x70\x19\x0F\xA3\0\0\0\0\x11heartbeat_timeout\0"sv;
// As the gateway's, so that both pay the same for a batch and for the buffer's pages.
constexpr int kBatchMax = 256;
constexpr size_t kReceiveBytes = 65536;

uint64_t thread_cpu_ns() {
  timespec spent{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<uint64_t>(spent.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(spent.tv_nsec);
}

}  // namespace

FloorLoop::FloorLoop() : epoll_(open_epoll()) {}

void FloorLoop::accept_from(int listener) {
  listener_ = listener;
  add_to_epoll(epoll_, listener, EPOLLIN);
}

void FloorLoop::take_from(FloorHandover& handover) {
  handover_ = &handover;
  add_to_epoll(epoll_, handover.wake_fd(), EPOLLIN);
}

void FloorLoop::do_on_signal(FloorTask task) {
  task_ = task;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGUSR1);
  signal_fd_ = signalfd(-1, &signals, SFD_NONBLOCK | SFD_CLOEXEC);
  if (signal_fd_ < 0) fail("signalfd");
  add_to_epoll(epoll_, signal_fd_, EPOLLIN);
}

void FloorLoop::run() {
  std::array<epoll_event, kBatchMax> ready{};
  for (;;) {
    const int count = epoll_wait(epoll_, ready.data(), kBatchMax, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<size_t>(i)];
      if (event.data.fd == listener_) {
        accept_all();
      } else if (handover_ != nullptr && event.data.fd == handover_->wake_fd()) {
        handover_->take([this](int fd) { adopt(fd); });
      } else if (event.data.fd == signal_fd_) {
        on_signal();
      } else if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        answer(event.data.fd);
      }
    }
  }
}

void FloorLoop::adopt(int fd) {
  const auto place = static_cast<size_t>(fd);
  if (place >= is_welcomed_.size()) is_welcomed_.resize(place + 1);
  is_welcomed_[place] = false;
  add_to_epoll(epoll_, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

void FloorLoop::accept_all() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) fail("accept4");
    adopt(fd);
  }
}

void FloorLoop::on_signal() {
  signalfd_siginfo ignored{};
  if (read(signal_fd_, &ignored, sizeof ignored) != sizeof ignored) return;
  const uint64_t before_ns = thread_cpu_ns();
  const uint64_t operations = do_task();
  const uint64_t spent_ns = thread_cpu_ns() - before_ns;
  std::printf("{\"operations\": %" PRIu64 ", \"cpu_ns\": %" PRIu64 "}\n", operations, spent_ns);
  std::fflush(stdout);
}

uint64_t FloorLoop::do_task() {
  uint64_t done = 0;
  for (size_t place = 0; place < is_welcomed_.size(); ++place) {
    if (!is_welcomed_[place]) continue;
    const int fd = static_cast<int>(place);
    if (task_ == FloorTask::kSend) {
      send(fd, kPing.data(), kPing.size(), MSG_NOSIGNAL);
    } else {
      // The frame and the end of the stream in one segment, even where input lies unread.
      send(fd, kGoaway.data(), kGoaway.size(), MSG_NOSIGNAL | MSG_MORE);
      shutdown(fd, SHUT_WR);
      close(fd);
      is_welcomed_[place] = false;
    }
    ++done;
  }
  return done;
}

void FloorLoop::answer(int fd) {
  static std::array<uint8_t, kReceiveBytes> buffer;
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    if (got < 0 && errno == EAGAIN) return;
    close(fd);
    is_welcomed_[static_cast<size_t>(fd)] = false;
    return;
  }
  if (!is_welcomed_[static_cast<size_t>(fd)]) return welcome(fd, buffer.data());
  const auto bytes = static_cast<size_t>(got);
  for (size_t at = 0; at + 1 < bytes; at += 2 + size_t{buffer[at + 1]}) buffer[at] = kPongHead;
  send(fd, buffer.data(), bytes, MSG_NOSIGNAL);
}

void FloorLoop::welcome(int fd, const uint8_t* hello) {
  std::array<uint8_t, 2 + kWelcomeBodyBytes> frame{};
  frame[0] = kWelcomeHead;
  frame[1] = kWelcomeBodyBytes;
  frame[2] = hello[kHelloHeartbeatAt];
  frame[3] = hello[kHelloHeartbeatAt + 1];
  const unsigned timeout_s = (unsigned{frame[2]} << 8 | frame[3]) * kMisses;
  frame[4] = static_cast<uint8_t>(timeout_s >> 8);
  frame[5] = static_cast<uint8_t>(timeout_s);
  send(fd, frame.data(), frame.size(), MSG_NOSIGNAL);
  is_welcomed_[static_cast<size_t>(fd)] = true;
}

}  // namespace holdfast::bench
