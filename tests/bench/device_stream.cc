#include "tests/bench/device_stream.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace holdfast::bench {
namespace {

Status failed(const char* call) {
  return Status::error(std::string(call) + ": " + std::strerror(errno));
}

bool set_on(int fd, int level, int option) {
  const int on = 1;
  return ::setsockopt(fd, level, option, &on, sizeof on) == 0;
}

Address source_of(uint32_t number) {
  const uint32_t host = 2 + number;
  return Address::from_ipv4({127, 0, static_cast<uint8_t>(host >> 8), static_cast<uint8_t>(host)},
                            0);
}

// The port is chosen by connect(2), which knows the target, not by bind(2). Source: ip(7).
Status bind_source(int fd, const Address& source) {
  if (!set_on(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT)) return failed("IP_BIND_ADDRESS_NO_PORT");
  sockaddr_storage native{};
  const socklen_t length = source.to_sockaddr(native);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&native), length) != 0) return failed("bind");
  return Status::ok();
}

// What OpenSSL returned, as a system call would have said it.
ssize_t answer(SSL& tls, int result) {
  if (result > 0) return result;
  switch (SSL_get_error(&tls, result)) {
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_SYSCALL:
      if (errno == 0) errno = ECONNRESET;
      return -1;
    default:
      errno = EPROTO;
      return -1;
  }
}

}  // namespace

Result<DeviceStream> DeviceStream::connect(const Address& target, uint32_t source_number,
                                           const TlsContext* tls) {
  DeviceStream stream;
  stream.socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int fd = stream.fd();
  if (fd < 0) return failed("socket");
  if (!set_on(fd, IPPROTO_TCP, TCP_NODELAY)) return failed("TCP_NODELAY");
  if (target.is_loopback()) {
    Status status = bind_source(fd, source_of(source_number));
    if (!status.is_ok()) return status;
  }
  sockaddr_storage native{};
  const socklen_t length = target.to_sockaddr(native);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&native), length) != 0) {
    return failed("connect");
  }
  if (tls == nullptr) return stream;
  // OpenSSL has no flag a call for it.
  if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return failed("O_NONBLOCK");
  stream.tls_ = tls->open(fd);
  return stream;
}

HandshakeStep DeviceStream::handshake() {
  if (tls_ == nullptr) return HandshakeStep::kDone;
  ERR_clear_error();
  errno = 0;
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) return HandshakeStep::kDone;
  const int reason = SSL_get_error(tls_.get(), result);
  const bool waits = reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE;
  return waits ? HandshakeStep::kUnderWay : HandshakeStep::kFailed;
}

ssize_t DeviceStream::receive(std::span<std::byte> place) {
  if (tls_ == nullptr) return ::recv(fd(), place.data(), place.size(), MSG_DONTWAIT);
  ERR_clear_error();
  errno = 0;
  return answer(*tls_, SSL_read(tls_.get(), place.data(), static_cast<int>(place.size())));
}

ssize_t DeviceStream::send(std::span<const std::byte> bytes) {
  if (tls_ == nullptr) {
    return ::send(fd(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }
  ERR_clear_error();
  errno = 0;
  return answer(*tls_, SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size())));
}

// Whether the other end still hears it makes no difference.
void DeviceStream::end_sending() {
  if (tls_ != nullptr) {
    ERR_clear_error();
    static_cast<void>(SSL_shutdown(tls_.get()));
  }
  ::shutdown(fd(), SHUT_WR);
}

// Without this OpenSSL would make the ticket of a session useless that the server ended without a
// last word. Source: SSL_set_shutdown(3ssl).
void DeviceStream::close() {
  if (tls_ != nullptr) SSL_set_shutdown(tls_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  tls_.reset();
  socket_.reset();
}

}  // namespace holdfast::bench
