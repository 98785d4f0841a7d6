#include "gateway/net/connection_poller.h"

#include <cerrno>
#include <cstring>
#include <string>

namespace holdfast {

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

std::span<const ConnectionPoller::Ready> ConnectionPoller::poll() {
  const int count = epoll_wait(epoll_.get(), events_, kBatchMax, 0);
  if (count <= 0) return {};
  for (int i = 0; i < count; ++i) {
    const uint64_t data = events_[i].data.u64;
    ready_[i] = {static_cast<uint32_t>(data), static_cast<uint32_t>(data >> 32), events_[i].events};
  }
  return {ready_, static_cast<size_t>(count)};
}

}  // namespace holdfast
