#pragma once

#include <cstdint>
#include <optional>

#include "common/clock.h"
#include "gateway/session/session_record.h"

namespace holdfast {

// What silence leads to. Values that a session was told (heartbeat_s, misses) stand in its
// record, so that a reload changes no promise already made.
struct LivenessSettings {
  uint16_t heartbeat_default_s = 30;
  uint16_t heartbeat_min_s = 1;
  uint16_t heartbeat_max_s = 1800;
  uint8_t misses = 3;  // heartbeat_max_s times this fits the 16 bits that WELCOME has for it
  uint32_t grace_ms = 500;
  uint32_t tls_handshake_timeout_ms = 5000;
  uint32_t hello_timeout_ms = 8000;
  uint32_t write_stall_ms = 30'000;
};

// How long a closing connection may still send before it is reset.
inline constexpr uint32_t kLingerMs = 2000;

// The heartbeat that a device is granted for the one it asked for (0: it asked for none).
uint16_t granted_heartbeat_s(const LivenessSettings& settings, uint16_t asked_s);

enum class DueAction : uint8_t {
  kNothing,  // look again at the next moment
  kSendPing,
  kEvict,  // silent for the promised timeout
  kTlsTimeout,
  kHelloTimeout,
  kWriteStall,
  kEndLinger,
};

// When a peer that has output waiting last took any; nothing: none is waiting.
using OutputMoved = std::optional<WrappingMs>;

// The next moment at which something could be due for this connection: where it stands in the
// wheel.
WrappingMs next_due(const HotRecord& record, OutputMoved output_moved,
                    const LivenessSettings& settings);

// What is due now. After kNothing and kSendPing the connection goes back into the wheel at
// next_due().
DueAction due_action(const HotRecord& record, OutputMoved output_moved,
                     const LivenessSettings& settings, WrappingMs now);

}  // namespace holdfast
