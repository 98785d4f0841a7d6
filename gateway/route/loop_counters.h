#pragma once

#include <array>

#include "common/counter.h"
#include "gateway/net/close_reason.h"
#include "gateway/net/tls_outcome.h"

namespace holdfast {

// What one loop has counted. Written by the loop, read by anybody.
struct LoopCounters {
  Counter sessions;     // authenticated now
  Counter handshaking;  // connected, and no HELLO yet
  Counter logins;
  Counter take_overs;    // logins that replaced an older session of the device
  Counter heartbeats;    // PINGs answered
  Counter server_pings;  // PINGs sent to the silent
  Counter frames_in;
  Counter messages_in;
  Counter messages_out;
  Counter messages_dropped;  // nobody to route them to
  Counter bytes_in;
  Counter bytes_out;
  Counter output_blocked;  // the socket was full and output had to wait
  Counter stale_commands;  // for a session that had gone
  Counter deferred;        // messages to another thread that had to wait for room
  Counter lag_max_us;      // the latest a tick came in the last whole second
  Counter cpu_us;          // the thread's user and system time
  std::array<Counter, kCloseReasons> closed;

  Counter tls_connections;       // within TLS now, handshakes included
  Counter tls_handshaking;       // handshakes begun and not over now
  Counter tls_waiting;           // handshakes that wait for their turn now
  Counter tls_steps_in_loop;     // steps of handshakes that it did in idle moments
  Counter tls_steps_on_threads;  // steps that threads did for it
  // Handshakes that came to a connection, by version and whether a session was resumed.
  std::array<std::array<Counter, 2>, 2> tls_established;
  std::array<Counter, kTlsFailures> tls_failed;
  Counter tls_truncated;  // connections that the peer ended without close_notify
};

}  // namespace holdfast
