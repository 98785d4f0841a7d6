#include "tools/conn_flood/socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>

#include "tools/conn_flood/errno_text.h"

namespace holdfast::flood {
namespace {

bool set_option(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof value) == 0;
}

bool bind_source(int fd, const Address& source) {
  // The port is then chosen by connect(2), which knows the target: one port serves each target
  // once. Without it bind(2) takes a port for all of them. Source: ip(7).
  if (!set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)) return false;
  sockaddr_storage native;
  const socklen_t length = source.to_sockaddr(native);
  return ::bind(fd, reinterpret_cast<const sockaddr*>(&native), length) == 0;
}

}  // namespace

ConnectAttempt start_connect(const Address* source, const Address& target, int rx_bytes) {
  const int family = target.is_ipv4() ? AF_INET : AF_INET6;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return {UniqueFd{}, errno};
  // A PING that waits for the acknowledgement of another would be timed wrong.
  if (!set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY, 1)) return {UniqueFd{}, errno};
  // Before connect: the window that the handshake announces depends on it.
  if (rx_bytes > 0 && !set_option(socket.get(), SOL_SOCKET, SO_RCVBUF, rx_bytes)) {
    return {UniqueFd{}, errno};
  }
  if (source != nullptr && !bind_source(socket.get(), *source)) return {UniqueFd{}, errno};

  sockaddr_storage native;
  const socklen_t length = target.to_sockaddr(native);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0 &&
      errno != EINPROGRESS) {
    return {UniqueFd{}, errno};
  }
  return {std::move(socket), 0};
}

Status check_source(const Address& source) {
  const UniqueFd socket(
      ::socket(source.is_ipv4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.is_open() && bind_source(socket.get(), source)) return Status::ok();
  const std::string host = source.host_text();
  if (errno != EADDRNOTAVAIL) {
    return Status::error("cannot connect from " + host + ": " + errno_text(errno));
  }
  return Status::error(host + " is not an address of this machine; add it: ip address add " + host +
                       " dev lo");
}

int pending_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return errno;
  return error;
}

IoResult receive(int fd, std::span<std::byte> bytes) {
  for (;;) {
    const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (count > 0) return {IoStatus::kDone, static_cast<size_t>(count)};
    if (count == 0) return {IoStatus::kEof, 0};
    if (errno == EAGAIN) return {IoStatus::kBlocked, 0};
    if (errno != EINTR) return {IoStatus::kReset, 0};
  }
}

IoResult transmit(int fd, std::span<const std::byte> bytes) {
  for (;;) {
    const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count >= 0) return {IoStatus::kDone, static_cast<size_t>(count)};
    if (errno == EAGAIN) return {IoStatus::kBlocked, 0};
    if (errno != EINTR) return {IoStatus::kReset, 0};
  }
}

}  // namespace holdfast::flood
