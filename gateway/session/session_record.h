#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "common/lru_list.h"
#include "common/timing_wheel.h"
#include "gateway/session/connection_io.h"
#include "gateway/session/peer_identity.h"
#include "gateway/session/session_state.h"

namespace holdfast {

// What every event of a connection touches.
struct HotRecord {
  uint32_t generation = 0;  // the arena's; 0: the slot is free
  int32_t fd = -1;
  WrappingMs last_activity;  // the last complete frame; before WELCOME, the accept
  WheelLinks wheel;
  LruLinks lru;  // in the list of sessions, or of those that have yet to say HELLO
  uint32_t io = ConnectionIoPool::kNone;  // none while idle
  uint16_t heartbeat_s = 0;
  uint16_t timeout_s = 0;
  uint16_t granted_heartbeat_s = 0;  // to be told with the next PONG; 0: nothing new
  SessionState state = SessionState::kAwaitProtocol;
  bool is_pinged : 1 = false;           // the server's PING is out and nothing came since
  bool is_input_waiting : 1 = false;    // to be read again next round: its turn was over
  bool is_address_counted : 1 = false;  // the accept thread counts the peer's address

  bool has_io() const { return io != ConnectionIoPool::kNone; }
};

// What is looked at when a connection begins, ends, or is asked about.
struct ColdRecord {
  WrappingMs connected_at;
  PeerIdentity peer;
  uint8_t listener = 0;
  uint8_t address_epoch = 0;  // AcceptedSocket::address_epoch
};

static_assert(sizeof(HotRecord) == 40);
static_assert(sizeof(ColdRecord) == 32);

}  // namespace holdfast
