#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

#include "common/clock.h"
#include "common/protocol/frame.h"
#include "common/timing_wheel.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/random.h"

// One client: its record and the pure rules of its life. What opens sockets is the worker.
namespace holdfast::flood {

enum class ClientState : uint8_t {
  kUnborn,      // the ramp has not come to it
  kConnecting,  // connect(2) is in flight
  kSecuring,    // --tls: the socket is connected, the TLS handshake is not over
  kGreeting,    // HELLO is on its way, WELCOME is not here
  kLive,        // welcomed, heartbeats
  kSilent,      // mute or half-frame: says nothing, waits for its eviction
  kDeaf,        // slow reader: sends, reads nothing, waits to be closed
  kLeaving,     // said GOAWAY 0, waits for the server to close
  kAway,        // no socket; connects again at its time
  kGone,        // no socket, for good
};
inline constexpr size_t kClientStateCount = 10;

enum class ClientEvent : uint8_t {
  kConnects,     // connect(2) was called
  kEstablished,  // the socket is connected, and is not to be secured
  kSecures,      // the socket is connected, and its TLS handshake begins
  kSecured,      // the TLS handshake is over
  kWelcomed,     // WELCOME came
  kFallsSilent,
  kGoesDeaf,
  kLeaves,      // GOAWAY 0 was sent
  kEndsForNow,  // the socket is closed, another will follow
  kEndsForGood,
};
inline constexpr size_t kClientEventCount = 10;

// The state that follows, or nothing when this event cannot be in that state (a bug of ours).
[[nodiscard]] std::optional<ClientState> next_state(ClientState state, ClientEvent event);

// WELCOME was received on the socket that the client has.
constexpr bool is_welcomed(ClientState state) {
  return state == ClientState::kLive || state == ClientState::kSilent ||
         state == ClientState::kDeaf || state == ClientState::kLeaving;
}

constexpr bool has_socket(ClientState state) {
  return state == ClientState::kConnecting || state == ClientState::kSecuring ||
         state == ClientState::kGreeting || is_welcomed(state);
}

// Why a connection ended.
enum class EndCause : uint8_t {
  kConnectError,   // connect(2) failed
  kGoaway,         // the server said so
  kEof,            // the server closed without a GOAWAY
  kReset,          // RST, or another socket error
  kTimeout,        // no WELCOME in time, or no close after our GOAWAY
  kPongMissing,    // no PONG within the granted timeout
  kProtocolError,  // the server sent what it must not
  kTlsFailed,      // TLS was refused, by either side, or broke
  kOwnChoice,      // we closed it
};

// How that is counted.
enum class Ending : uint8_t {
  kLeft,          // as it chose
  kRefused,       // never welcomed on this connection
  kEvicted,       // GOAWAY 4003 to one that had fallen silent, at its deadline or after
  kEvictedEarly,  // the same, before its deadline
  kClosedSlow,    // a slow reader was closed
  kDismissed,     // sent away with a code that says when to come back, or while it was silent
  kLost,          // was expected to live
};

enum class Return : uint8_t { kNever, kAtOnce, kAfterServerDelay, kAfterBackoff };

struct EndFacts {
  ClientState state = ClientState::kLive;
  Behaviour behaviour = Behaviour::kSteady;
  EndCause cause = EndCause::kEof;
  GoawayCode code = GoawayCode::kGoodbye;  // with kGoaway
  uint32_t retry_after_ms = 0;             // with kGoaway
  bool before_deadline = false;            // its timeout had not passed yet
  bool reconnects = false;                 // --reconnect, or it churns
  bool run_is_ending = false;
};

struct Verdict {
  Ending ending = Ending::kLost;
  Return comes_back = Return::kNever;
};

// What an end counts as and what the client does next. Source: docs/protocol.md, the table of
// codes.
[[nodiscard]] Verdict judge(const EndFacts& facts);

// The deadline that an eviction is held to lies this much before last frame + timeout. A server may
// take a frame's time from a clock that it read at the start of a batch of events, so that its idea
// of our last frame is older than ours by the length of a batch.
inline constexpr uint32_t kEarlySlackMs = 20;
// A silent client that is still connected this long after its deadline was forgotten.
inline constexpr uint32_t kOverdueMs = 2000;

// A client's record. Times are milliseconds since the start of the run.
struct Client {
  WheelLinks wheel;
  int fd = -1;
  ClientState state = ClientState::kUnborn;
  Behaviour behaviour = Behaviour::kSteady;
  uint8_t failures = 0;  // attempts in a row that found no WELCOME

  bool was_welcomed : 1 = false;  // ever
  bool is_settled : 1 = false;    // welcomed or given up for the first time: the ramp is past it
  bool has_act : 1 = false;       // kLive: state_due is when it misbehaves or leaves
  bool is_overdue : 1 = false;    // kSilent: its deadline + kOverdueMs has passed
  bool has_partial_input : 1 = false;    // an incomplete frame is kept for it
  bool has_unsent_output : 1 = false;    // bytes for a full socket are kept for it
  bool leaves_by_goaway : 1 = false;     // churn: how it left last
  bool is_answered_in_hold : 1 = false;  // a PING planned since all were connected has its PONG

  uint16_t heartbeat_s = 0;  // granted
  uint16_t timeout_s = 0;
  uint16_t pings_unanswered = 0;
  uint16_t moved_to = 0;      // 0: connects to its planned target; else see Worker::other_targets_
  uint16_t flood_offset = 0;  // kDeaf: bytes of a PING that were sent already

  uint32_t connect_planned_us = 0;  // low 32 bits
  WrappingMs state_due;             // when the state's own patience ends, or its act begins
  WrappingMs next_ping;             // kLive: planned
  WrappingMs last_ping;             // planned time of the latest PING
  WrappingMs waiting_since;         // with pings_unanswered: the oldest's planned time, or later
  WrappingMs last_frame;            // when the latest whole frame was sent
};
static_assert(sizeof(Client) <= 64, "a million clients are to fit a small machine");

// The longest that a client waits for anything: far within what WrappingMs compares rightly.
inline constexpr uint32_t kWaitMaxMs = 24 * 3600 * 1000;
constexpr uint32_t wait_ms_of(double seconds) {
  return static_cast<uint32_t>(std::min(seconds * 1000, double{kWaitMaxMs}));
}

constexpr WrappingMs earlier_of(WrappingMs a, WrappingMs b) { return a.ms_until(b) < 0 ? b : a; }

// When the server is to evict the client if it stays silent.
constexpr WrappingMs eviction_deadline(const Client& client) {
  return client.last_frame.plus_ms(uint32_t{client.timeout_s} * 1000);
}

// When the oldest unanswered PING counts as lost.
constexpr WrappingMs pong_deadline(const Client& client) {
  return client.waiting_since.plus_ms(uint32_t{client.timeout_s} * 1000);
}

// The next moment at which anything may be due; where the client stands in the wheel.
[[nodiscard]] WrappingMs next_due(const Client& client, bool sends_pings);

// Ticks of the workers' wheels. PINGs are planned on whole ones, so that a tick's length is no part
// of a round trip.
inline constexpr uint32_t kTickMs = 4;
static_assert((kTickMs & (kTickMs - 1)) == 0);
constexpr WrappingMs whole_tick(WrappingMs moment) {
  return WrappingMs(moment.count() & ~(kTickMs - 1));
}

constexpr bool falls_silent(Behaviour behaviour) {
  return behaviour == Behaviour::kMute || behaviour == Behaviour::kHalfFrame;
}

// What a client asks for in HELLO.
constexpr uint16_t heartbeat_asked_s(const Options& options, Behaviour behaviour) {
  return falls_silent(behaviour) ? options.mute_heartbeat_s.value_or(options.heartbeat_s)
                                 : options.heartbeat_s;
}

// A wait until the next PING: a tenth of the interval is left to chance, and none is longer than
// it.
[[nodiscard]] uint32_t draw_ping_wait_ms(uint16_t heartbeat_s, Random& random);

}  // namespace holdfast::flood
