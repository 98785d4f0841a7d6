#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "common/protocol/frame.h"

namespace holdfast {

// Why a connection ended. Every close has exactly one, and is counted under it.
enum class CloseReason : uint8_t {
  kPeerClosed,        // the peer's end of stream
  kPeerReset,         // the socket failed: reset, unreachable, TCP's own timeout
  kGoodbye,           // the device's own GOAWAY
  kUnknownProtocol,   // the first bytes belong to no protocol of this listener
  kBadProxyHeader,    // a PROXY protocol header was due and something else came
  kTlsRequired,       // the listener is for TLS only, and the peer does not speak it
  kTlsFailed,         // the TLS handshake came to nothing; TlsFailure says why
  kTlsTimeout,        // the TLS handshake was not done in time
  kTlsBadRecord,      // a TLS record that may not be, after the handshake
  kUnauthorized,      // HELLO's device id is not one of the client certificate's
  kProtocolError,     // a frame that may not be
  kFrameTooLarge,     // a frame's announced length is over the limit
  kHelloTimeout,      // no complete HELLO in time
  kHeartbeatTimeout,  // silent for the promised timeout
  kTakenOver,         // the device came back on a newer connection
  kShedIdle,          // idle, and room was needed
  kOverloaded,        // no room, found out after the accept
  kAddressLimit,      // too many from one address, found out after its PROXY header
  kDraining,          // this node is being emptied
  kSlowConsumer,      // more output waits than a connection may have waiting
  kWriteStall,        // output waits and the peer has taken none of it in time
  kKicked,            // an operator's wish
  kShutdown,          // the process ends and the grace is over
};
inline constexpr size_t kCloseReasons = static_cast<size_t>(CloseReason::kShutdown) + 1;

// The name used in metrics, statistics and logs, e.g. "heartbeat_timeout".
std::string_view to_text(CloseReason reason);

// The code that the peer is told, if it is to be told anything.
std::optional<GoawayCode> goaway_code(CloseReason reason);

// Input may lie unread in the socket when this happens. Closing then would make the kernel answer
// with a reset, which can destroy the GOAWAY on its way; so the connection lingers until the peer
// closes.
bool lingers(CloseReason reason);

// Why a connection was turned away before a byte of it was read.
enum class RefuseReason : uint8_t {
  kConnectionsMax,  // limits.connections_max, or what the descriptor limit allows
  kMemoryMax,       // limits.memory_max_mib
  kPerAddressMax,   // limits.per_address_max
  kAcceptRate,      // limits.accept_rate_per_s
  kSubnetRate,      // limits.accept_rate_per_subnet_per_s
  kDescriptors,     // the process or the machine ran out of descriptors
  kDraining,        // this node is being emptied
};
inline constexpr size_t kRefuseReasons = static_cast<size_t>(RefuseReason::kDraining) + 1;

std::string_view to_text(RefuseReason reason);
GoawayCode goaway_code(RefuseReason reason);

}  // namespace holdfast
