#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "common/address.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "tests/bench/tls_context.h"

namespace holdfast::bench {

enum class HandshakeStep : uint8_t {
  kUnderWay,  // the server comes next: call again when its bytes are there
  kDone,      // bytes may be sent; at once where there is no TLS
  kFailed,    // close it; tls_error_text() says why
};

// A device's end of a connection, by TCP alone or within TLS. receive() and send() answer as
// recv(2) and send(2) do that do not block; where TLS failed, errno is EPROTO.
// Thread: one.
// Owns: the socket, and what TLS knows of it.
class DeviceStream final {
 public:
  // Connected to `target`, blocking until the other kernel answers: on one machine at once while
  // fewer than the backlog wait. A loopback target is reached from the source of this number,
  // since one address has not ports enough. tls: nullptr for none; it must outlive the stream.
  [[nodiscard]] static Result<DeviceStream> connect(const Address& target, uint32_t source_number,
                                                    const TlsContext* tls);

  bool is_open() const { return socket_.is_open(); }
  int fd() const { return socket_.get(); }
  // nullptr without TLS.
  SSL* tls() const { return tls_.get(); }

  // Goes as far as it gets without waiting.
  [[nodiscard]] HandshakeStep handshake();
  [[nodiscard]] ssize_t receive(std::span<std::byte> place);
  // One call is one record.
  [[nodiscard]] ssize_t send(std::span<const std::byte> bytes);
  // Says that nothing more will come, and still takes what the server has to say.
  void end_sending();
  void close();

 private:
  UniqueFd socket_;
  SslHandle tls_;  // after socket_: freed before it closes
};

}  // namespace holdfast::bench
