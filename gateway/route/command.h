#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/address.h"
#include "gateway/net/accepted_socket.h"
#include "gateway/net/close_reason.h"
#include "gateway/net/tls_context.h"
#include "gateway/net/tls_handshake_threads.h"
#include "gateway/session/liveness.h"
#include "gateway/session/session_ref.h"

// Closed set: every message that one thread may send a loop, or a loop the control thread, stands
// here.
namespace holdfast {

// What a listener offers of TLS.
struct ListenerTls {
  std::shared_ptr<const TlsContext> context;  // null: none, it is plain
  bool is_required = false;                   // no plain connections
};

// What a loop is told of the settings; replaced whole by a reload.
struct LoopSettings {
  LivenessSettings liveness;
  uint32_t frame_bytes_max = 65536;
  uint32_t send_queue_bytes_max = 262144;
  uint64_t memory_bytes_max = 0;  // 0: off
  bool sheds_when_full = true;
  std::vector<ListenerTls> tls;        // by listener
  uint32_t tls_handshakes_max = 1024;  // at the same time, of this loop
  uint32_t tls_idle_steps = 16;        // as many may go on while it does steps in idle moments
};

// Ties a reply to what asked for it. 0: no reply is wanted.
using RequestId = uint64_t;

// To a loop.
struct AdoptSocket {
  AcceptedSocket accepted;
};
// A handshake that was at a thread, after one more step.
struct HandshakeStepped {
  HandshakeJob job;
  uint32_t thread = 0;
};
struct Kick {
  SessionRef target;
  CloseReason reason = CloseReason::kKicked;
  RequestId request = 0;
};
struct SetHeartbeat {
  SessionRef target;
  uint16_t heartbeat_s = 0;
  RequestId request = 0;
};
struct DescribeSession {
  SessionRef target;
  RequestId request = 0;
};
// Up to entries_max sessions whose slots lie at or after from_slot.
struct ListSessions {
  uint32_t from_slot = 0;
  uint32_t entries_max = 0;
  RequestId request = 0;
};
struct StartDrain {
  double rate_per_s = 0;
  uint32_t reconnect_window_ms = 0;
};
struct StopDrain {};
struct ApplySettings {
  std::shared_ptr<const LoopSettings> settings;
};
// The end: tells everybody who is left and stops the loop's thread.
struct StopLoop {};

using LoopCommand =
    std::variant<std::monostate, AdoptSocket, HandshakeStepped, Kick, SetHeartbeat, DescribeSession,
                 ListSessions, StartDrain, StopDrain, ApplySettings, StopLoop>;

// What an operator may know about a session.
struct SessionView {
  std::string device_id;
  std::string user;
  std::string app;
  std::string os;
  std::string net;
  Address peer;
  ListenerIndex listener = 0;
  std::string_view tls;  // "TLSv1.3", "TLSv1.2", empty
  LoopIndex loop = 0;
  uint64_t session_id = 0;
  uint32_t connected_for_ms = 0;
  uint32_t idle_ms = 0;
  uint16_t heartbeat_s = 0;
  uint16_t timeout_s = 0;
  uint16_t next_heartbeat_s = 0;  // granted and told with the next PONG; 0: nothing new
  uint32_t output_bytes = 0;      // waiting for the peer
};

// From a loop to the control thread. A session that has gone meanwhile gives is_found == false, or
// no view.
struct KickDone {
  RequestId request = 0;
  bool is_found = false;
};
struct HeartbeatSet {
  RequestId request = 0;
  bool is_found = false;
};
struct SessionDescribed {
  RequestId request = 0;
  std::unique_ptr<SessionView> view;
};
struct SessionsListed {
  RequestId request = 0;
  std::vector<SessionView> views;
  std::optional<uint32_t> next_slot;  // nothing: that was the last of this loop
};

using LoopReply =
    std::variant<std::monostate, KickDone, HeartbeatSet, SessionDescribed, SessionsListed>;

}  // namespace holdfast
