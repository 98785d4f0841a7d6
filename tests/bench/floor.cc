#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

// The floor under the price of a ping: one thread that makes the system calls which an answer
// cannot do without (epoll_wait, recv, send) and nothing else. No deadlines, no limits, no
// identity; a peer that sends half a frame gets nonsense back. Only tests/bench/ping_load.cc talks
// to it.
//
// The first bytes of a connection are its HELLO and get a WELCOME; every PING after that is sent
// back with PONG's head.
namespace {

constexpr uint8_t kWelcomeHead = 0x80;
constexpr uint8_t kPongHead = 0x20;
constexpr size_t kWelcomeBodyBytes = 20;
constexpr size_t kHelloHeartbeatAt = 6;  // behind head, length and magic
constexpr unsigned kMisses = 3;
// As the gateway's, so that both pay the same for a batch and for the buffer's pages.
constexpr int kBatchMax = 256;
constexpr size_t kReceiveBytes = 65536;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_floor: %s: %s\n", what, std::strerror(errno));
  _exit(1);
}

int open_listener(uint16_t& port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) fail("socket");
  const int on = 1;
  // Inherited by what accept4 returns.
  if (setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) fail("TCP_NODELAY");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, generic, length) != 0) fail("bind");
  if (listen(listener, 65535) != 0) fail("listen");
  if (getsockname(listener, generic, &length) != 0) fail("getsockname");
  port = ntohs(address.sin_port);
  return listener;
}

void add(int epoll, int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) fail("epoll_ctl");
}

// By descriptor: whether the connection has been welcomed.
std::vector<bool> is_welcomed;

void accept_all(int listener, int epoll) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0 && errno == EAGAIN) return;
    if (fd < 0) fail("accept4");
    const auto place = static_cast<size_t>(fd);
    if (place >= is_welcomed.size()) is_welcomed.resize(place + 1);
    is_welcomed[place] = false;
    add(epoll, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
  }
}

void welcome(int fd, const uint8_t* hello) {
  std::array<uint8_t, 2 + kWelcomeBodyBytes> frame{};
  frame[0] = kWelcomeHead;
  frame[1] = kWelcomeBodyBytes;
  frame[2] = hello[kHelloHeartbeatAt];
  frame[3] = hello[kHelloHeartbeatAt + 1];
  const unsigned timeout_s = (unsigned{frame[2]} << 8 | frame[3]) * kMisses;
  frame[4] = static_cast<uint8_t>(timeout_s >> 8);
  frame[5] = static_cast<uint8_t>(timeout_s);
  send(fd, frame.data(), frame.size(), MSG_NOSIGNAL);
  is_welcomed[static_cast<size_t>(fd)] = true;
}

void answer(int fd) {
  static std::array<uint8_t, kReceiveBytes> buffer;
  const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
  if (got <= 0) {
    if (got == 0 || errno != EAGAIN) close(fd);
    return;
  }
  if (!is_welcomed[static_cast<size_t>(fd)]) return welcome(fd, buffer.data());
  const auto bytes = static_cast<size_t>(got);
  for (size_t at = 0; at + 1 < bytes; at += 2 + size_t{buffer[at + 1]}) buffer[at] = kPongHead;
  send(fd, buffer.data(), bytes, MSG_NOSIGNAL);
}

}  // namespace

int main() {
  uint16_t port = 0;
  const int listener = open_listener(port);
  const int epoll = epoll_create1(EPOLL_CLOEXEC);
  if (epoll < 0) fail("epoll_create1");
  add(epoll, listener, EPOLLIN);
  std::printf("127.0.0.1:%u\n", unsigned{port});
  std::fflush(stdout);
  std::array<epoll_event, kBatchMax> ready{};
  for (;;) {
    const int count = epoll_wait(epoll, ready.data(), kBatchMax, -1);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = ready[static_cast<size_t>(i)];
      if (event.data.fd == listener) {
        accept_all(listener, epoll);
      } else if ((event.events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
        answer(event.data.fd);
      }
    }
  }
}
