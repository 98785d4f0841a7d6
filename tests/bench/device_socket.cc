#include "tests/bench/device_socket.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "common/protocol/native.h"

namespace holdfast::bench {
namespace {

constexpr uint32_t kDevicesPerSource = 2000;

Status failed(const char* call) {
  return Status::error(std::string(call) + ": " + std::strerror(errno));
}

// The port is chosen by connect(2), which knows the target, not by bind(2). Source: ip(7).
Status bind_source(int fd, uint32_t number) {
  const int on = 1;
  if (::setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) != 0) {
    return failed("IP_BIND_ADDRESS_NO_PORT");
  }
  const uint32_t host = 2 + number / kDevicesPerSource;
  const Address source =
      Address::from_ipv4({127, 0, static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)}, 0);
  sockaddr_storage native{};
  const socklen_t length = source.to_sockaddr(native);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&native), length) != 0) return failed("bind");
  return Status::ok();
}

}  // namespace

Result<UniqueFd> connect_device(const Address& target, uint32_t number, uint16_t heartbeat_s) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return failed("socket");
  const int on = 1;
  if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
    return failed("TCP_NODELAY");
  }
  if (target.is_loopback()) {
    Status status = bind_source(socket.get(), number);
    if (!status.is_ok()) return status;
  }
  sockaddr_storage native{};
  const socklen_t length = target.to_sockaddr(native);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&native), length) != 0) {
    return failed("connect");
  }
  std::array<char, 17> id{};
  std::snprintf(id.data(), id.size(), "bench-%010u", number);
  std::array<std::byte, 256> hello{};
  const size_t bytes = native::encode(
      Hello{.heartbeat_s = heartbeat_s, .device_id = id.data(), .token = {}, .attributes = {}},
      hello);
  if (::send(socket.get(), hello.data(), bytes, MSG_NOSIGNAL) != static_cast<ssize_t>(bytes)) {
    return failed("send HELLO");
  }
  return socket;
}

}  // namespace holdfast::bench
