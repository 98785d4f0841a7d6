#include "gateway/net/connection_poller.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace holdfast {
namespace {

constexpr uint64_t kWakeData = UINT64_MAX;  // no slot has this index

}  // namespace

Status ConnectionPoller::open() {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (epoll_.is_open()) return Status::ok();
  return Status::error(std::string("epoll_create1: ") + std::strerror(errno));
}

bool ConnectionPoller::add(int socket, uint32_t slot, uint32_t generation) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = uint64_t{generation} << 32 | slot;
  return epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, socket, &event) == 0;
}

Status ConnectionPoller::add_wake(int wake_fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kWakeData;
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_fd, &event) == 0) return Status::ok();
  return Status::error(std::string("epoll_ctl: ") + std::strerror(errno));
}

std::span<const ConnectionPoller::Ready> ConnectionPoller::poll(Milliseconds wait) {
  is_woken_ = false;
  const int count = epoll_wait(epoll_.get(), events_, kBatchMax, static_cast<int>(wait.count()));
  size_t ready = 0;
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events_[i].data.u64;
    if (data == kWakeData) {
      is_woken_ = true;
      continue;
    }
    ready_[ready++] = {static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32),
                       events_[i].events};
  }
  return {ready_, ready};
}

}  // namespace holdfast
