#include "gateway/net/connection_poller.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "common/check.h"

namespace holdfast {
namespace {

// No slot has these indices.
constexpr uint64_t kWakeData = UINT64_MAX;
constexpr uint64_t kTickData = UINT64_MAX - 1;

Status failed(const char* what) {
  return Status::error(std::string(what) + ": " + std::strerror(errno));
}

}  // namespace

Status ConnectionPoller::open() {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll_.is_open()) return failed("epoll_create1");
  tick_.reset(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  if (!tick_.is_open()) return failed("timerfd_create");
  // Edge-triggered: setting it anew makes the next edge, and nobody has to read it.
  return add_special(tick_.get(), EPOLLIN | EPOLLET, kTickData);
}

bool ConnectionPoller::add(int socket, uint32_t slot, uint32_t generation) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = uint64_t{generation} << 32 | slot;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0;
}

Status ConnectionPoller::add_special(int fd, uint32_t events, uint64_t data) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = data;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return Status::ok();
  return failed("epoll_ctl");
}

Status ConnectionPoller::add_wake(int wake_fd) { return add_special(wake_fd, EPOLLIN, kWakeData); }

void ConnectionPoller::set_tick(Milliseconds delay) {
  itimerspec setting{};
  setting.it_value.tv_sec = static_cast<time_t>(delay.count() / 1000);
  // Nothing at all would switch it off.
  setting.it_value.tv_nsec = static_cast<long>(delay.count() % 1000 * 1'000'000 + 1);
  HF_CHECK(timerfd_settime(tick_.get(), 0, &setting, nullptr) == 0);
}

std::span<const ConnectionPoller::Ready> ConnectionPoller::poll(bool waits) {
  is_woken_ = false;
  is_ticked_ = false;
  // No time limit: the kernel would set a timer for each wait and take it back.
  const int count = epoll_wait(epoll_.get(), events_, kBatchMax, waits ? -1 : 0);
  is_full_ = count == kBatchMax;
  size_t ready = 0;
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events_[i].data.u64;
    if (data == kWakeData) {
      is_woken_ = true;
    } else if (data == kTickData) {
      is_ticked_ = true;
    } else {
      ready_[ready++] = {static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32),
                         events_[i].events};
    }
  }
  return {ready_, ready};
}

}  // namespace holdfast
