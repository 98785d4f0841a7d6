#pragma once

#include <cstdint>
#include <memory>

#include "common/address.h"
#include "common/byte_buffer.h"
#include "common/clock.h"
#include "common/lru_list.h"
#include "common/slot_arena.h"
#include "common/timing_wheel.h"
#include "gateway/net/close_reason.h"
#include "gateway/session/device_identity.h"
#include "gateway/session/session_state.h"

namespace holdfast {

// What a connection owns only while it must: input while a frame is incomplete, output while the
// socket is full.
struct ConnectionIo {
  ByteBuffer input;
  ByteBuffer output;
  WrappingMs output_moved;  // when the peer last took any of it

  bool is_empty() const { return input.is_empty() && output.is_empty(); }
  size_t allocated_bytes() const {
    return sizeof(ConnectionIo) + input.capacity() + output.capacity();
  }
};

// What every event of a connection touches.
struct HotRecord {
  uint32_t generation = 0;  // the arena's; 0: the slot is free
  int32_t fd = -1;
  WrappingMs last_activity;  // the last complete frame; before WELCOME, the accept
  WheelLinks wheel;
  LruLinks lru;  // in the list of sessions, or of those that have yet to say HELLO
  uint16_t heartbeat_s = 0;
  uint16_t timeout_s = 0;
  uint16_t granted_heartbeat_s = 0;  // to be told with the next PONG; 0: nothing new
  SessionState state = SessionState::kAwaitProtocol;
  bool is_pinged : 1 = false;           // the server's PING is out and nothing came since
  bool is_input_waiting : 1 = false;    // to be read again next round: its turn was over
  bool is_address_counted : 1 = false;  // the accept thread counts it under ColdRecord::peer
  std::unique_ptr<ConnectionIo> io;     // none while idle
};

// What is looked at when a connection begins, ends, or is asked about.
struct ColdRecord {
  Address peer;
  uint8_t listener = 0;
  uint8_t address_epoch = 0;  // AcceptedSocket::address_epoch
  WrappingMs connected_at;
  DeviceIdentity identity;
};

// The budget: docs/life_of_a_connection.md adds it up.
static_assert(sizeof(HotRecord) == 48);
static_assert(sizeof(ColdRecord) == 48);

}  // namespace holdfast
