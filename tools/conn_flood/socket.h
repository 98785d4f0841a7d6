#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "common/address.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace holdfast::flood {

struct ConnectAttempt {
  UniqueFd socket;  // open when `error` is 0
  int error = 0;    // errno
};

// A receive buffer so small that a client that stops reading fills it at once.
inline constexpr int kSlowReaderRxBytes = 2048;

// Starts a non-blocking connect(2) from `source` (none: the kernel picks). The connection may be
// established already or not; epoll tells. `rx_bytes` above 0 sets the receive buffer.
// Errors: EADDRNOTAVAIL when the source has no port left, EMFILE, and what connect(2) lists.
[[nodiscard]] ConnectAttempt start_connect(const Address* source, const Address& target,
                                           int rx_bytes);

// Whether connections can be made from `source`; if not, says so with the mend.
[[nodiscard]] Status check_source(const Address& source);

// The error that a socket keeps; 0 for none.
[[nodiscard]] int pending_error(int fd);

// What came of a read, a write or a handshake.
enum class IoStatus : uint8_t {
  kDone,       // `bytes` of them, one at least
  kBlocked,    // nothing now; an event will come
  kEof,        // the server has closed
  kReset,      // RST, or another socket error
  kTlsFailed,  // an alert, or something that is no TLS; only of a TlsLink
};

struct IoResult {
  IoStatus status = IoStatus::kBlocked;
  size_t bytes = 0;
};

[[nodiscard]] IoResult receive(int fd, std::span<std::byte> bytes);
[[nodiscard]] IoResult transmit(int fd, std::span<const std::byte> bytes);

}  // namespace holdfast::flood
