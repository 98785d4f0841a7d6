#include "gateway/net/listener.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace holdfast {
namespace {

// Deadlines find the dead in every state; this only frees what the kernel holds for a peer that
// vanished while output was on its way. No SO_KEEPALIVE: docs/decisions/0013 says why.
constexpr int kUserTimeoutMs = 60'000;

std::string bind_mend(int error, const Address& address) {
  switch (error) {
    case EADDRINUSE:
      return "another program listens there: find it with `ss -ltnp 'sport = :" +
             std::to_string(address.port()) + "'`, stop it or choose another port";
    case EACCES:
      return "ports below 1024 need CAP_NET_BIND_SERVICE: choose a higher port, or give the "
             "capability in the systemd unit";
    case EADDRNOTAVAIL:
      return "no interface of this machine has that address: see `ip address`";
    default:
      return std::strerror(error);
  }
}

Status set_option(int socket, int level, int name, int value, const char* text) {
  if (setsockopt(socket, level, name, &value, sizeof value) == 0) return Status::ok();
  return Status::error(std::string("setsockopt ") + text + ": " + std::strerror(errno));
}

Status set_inherited_options(int socket) {
  struct Option {
    int level;
    int name;
    int value;
    const char* text;
  };
  constexpr Option kOptions[] = {
      {SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR"},
      {IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY"},
      {IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs, "TCP_USER_TIMEOUT"},
  };
  for (const Option& option : kOptions) {
    Status status = set_option(socket, option.level, option.name, option.value, option.text);
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

}  // namespace

Result<UniqueFd> open_listener(Address& address, int backlog) {
  const int family = address.is_ipv4() ? AF_INET : AF_INET6;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const std::string what = "listener " + address.text() + ": ";
  if (!socket.is_open()) return Status::error(what + std::strerror(errno));
  Status status = set_inherited_options(socket.get());
  if (!status.is_ok()) return Status::error(what + status.message());
  if (family == AF_INET6) {
    // One listener, one family: [::] beside 0.0.0.0 must not depend on a sysctl.
    status = set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, 1, "IPV6_V6ONLY");
    if (!status.is_ok()) return Status::error(what + status.message());
  }
  sockaddr_storage native{};
  socklen_t length = address.to_sockaddr(native);
  auto* const generic = reinterpret_cast<sockaddr*>(&native);
  if (::bind(socket.get(), generic, length) != 0 || ::listen(socket.get(), backlog) != 0) {
    return Status::error(what + bind_mend(errno, address));
  }
  if (::getsockname(socket.get(), generic, &length) == 0) {
    address = Address::from_sockaddr(*generic);
  }
  return socket;
}

}  // namespace holdfast
