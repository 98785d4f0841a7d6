#pragma once

#include <cstddef>
#include <cstdint>

#include "common/protocol/frame.h"

namespace holdfast {

// Where a connection stands. It only moves downwards.
enum class SessionState : uint8_t {
  kAwaitProxyHeader,  // the balancer's header has not been read whole
  kAwaitTransport,    // TLS is possible, and nothing that tells it has been read
  kTlsHandshake,      // what comes in is for the handshake
  kAwaitProtocol,     // plain or within TLS, nothing that tells the protocol has been read
  kAwaitHello,        // native, and no HELLO yet
  kOpen,              // a device's session: in the directory and the LRU list
  kLingering,         // GOAWAY is sent and our side is shut; what still comes in is thrown away
  kClosed,            // waits for the end of the iteration to be freed
};
inline constexpr size_t kSessionStates = static_cast<size_t>(SessionState::kClosed) + 1;

// The alternatives of Frame, in its order.
enum class FrameKind : uint8_t {
  kHello,
  kWelcome,
  kPing,
  kPong,
  kMessage,
  kAck,
  kSubscribe,
  kUnsubscribe,
  kGoaway,
};
inline constexpr size_t kFrameKinds = static_cast<size_t>(FrameKind::kGoaway) + 1;
static_assert(kFrameKinds == std::variant_size_v<Frame>);

inline FrameKind kind_of(const Frame& frame) { return static_cast<FrameKind>(frame.index()); }

// What a frame from the device leads to.
enum class FrameAction : uint8_t {
  kCloseProtocolError,  // not here, not now
  kLogIn,               // check the HELLO, answer WELCOME
  kAnswerPing,
  kNoteAlive,  // it counts as a heartbeat, nothing more
  kRouteMessage,
  kChangeSubscriptions,
  kCloseGoodbye,
};

// The whole table of states and frames. What it does not name closes the connection.
FrameAction action_for(SessionState state, FrameKind kind);

constexpr bool is_before_welcome(SessionState state) { return state < SessionState::kOpen; }
// What comes in is TLS, or may be.
constexpr bool is_before_tls(SessionState state) {
  return state == SessionState::kAwaitTransport || state == SessionState::kTlsHandshake;
}
constexpr bool is_reading(SessionState state) { return state <= SessionState::kOpen; }

}  // namespace holdfast
