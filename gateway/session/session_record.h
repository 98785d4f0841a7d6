#pragma once

#include <cstddef>
#include <cstdint>

#include "common/clock.h"
#include "common/lru_list.h"
#include "common/timing_wheel.h"
#include "gateway/session/peer_identity.h"
#include "gateway/session/session_state.h"

namespace holdfast {

// What every event of a connection touches: two to a cache line, and none in two lines.
struct HotRecord {
  uint32_t generation = 0;  // the arena's; 0: the slot is free
  int32_t fd = -1;
  WrappingMs last_activity;  // the last complete frame; before WELCOME, the accept
  WheelLinks wheel;
  LruLinks lru;  // in the list of sessions, or of those that have yet to say HELLO
  uint16_t heartbeat_s = 0;
  uint8_t misses = 0;  // the timeout that the device was told is its heartbeat times this
  SessionState state : 3 = SessionState::kAwaitProtocol;
  bool is_pinged : 1 = false;         // the server's PING is out and nothing came since
  bool is_input_waiting : 1 = false;  // to be read again next round: its turn was over
  bool has_io : 1 = false;            // it has a ConnectionIo
  bool has_tls : 1 = false;           // it has a TlsConnection
  bool has_grant : 1 = false;         // ColdRecord::granted_heartbeat_s is to be told

  uint32_t timeout_ms() const { return uint32_t{heartbeat_s} * misses * 1000; }
  uint16_t timeout_s() const { return static_cast<uint16_t>(heartbeat_s * misses); }
};

// What is looked at when a connection begins, ends, is asked about, or has something unusual.
struct ColdRecord {
  WrappingMs connected_at;
  uint32_t part = kNoIndex;  // of its ConnectionIo; with TLS, of its TlsConnection
  PeerIdentity peer;
  uint16_t granted_heartbeat_s = 0;  // with the next PONG
  uint8_t listener = 0;
  uint8_t address_epoch = 0;        // AcceptedSocket::address_epoch
  bool is_address_counted = false;  // the accept thread counts the peer's address
};

static_assert(sizeof(HotRecord) == 32);
static_assert(sizeof(ColdRecord) == 40);

}  // namespace holdfast
