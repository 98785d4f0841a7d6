#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/histogram.h"
#include "common/protocol/frame.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "tests/bench/ping_client.h"

namespace holdfast::bench {

// How a crowd of silent devices ended. Moments are on the monotonic clock.
struct EvictionTally {
  uint32_t evicted = 0;          // with GOAWAY 4003
  uint32_t ended_otherwise = 0;  // with another GOAWAY, or with none
  uint32_t early = 0;            // before the promised timeout was over
  Nanoseconds first_deadline = 0;
  Nanoseconds last_deadline = 0;
  Nanoseconds last_eviction = 0;
  Histogram late_ns;  // GOAWAY's arrival, counted from the deadline
  std::string first_surprise;
};

// Device connections that all send one last heartbeat, fall silent, and wait to be evicted. The
// deadline is the moment just before that heartbeat was sent, and the timeout that WELCOME told. A
// GOAWAY counts from when the kernel had it, not from when this program came to read it. It is
// answered by closing at once, as devices do: left alone, the kernel would acknowledge it 40 ms later
// from a timer, many at a time, on the processor that had sent it, which is the gateway's.
// Thread: one.
// Owns: the sockets.
// Limit: what the descriptor limit allows.
class MuteClient final {
 public:
  MuteClient(const Address& target, uint32_t connections, uint32_t first_id);
  MuteClient(const MuteClient&) = delete;
  MuteClient& operator=(const MuteClient&) = delete;

  // Connects everything and waits for the last WELCOME.
  [[nodiscard]] Status connect_all(uint16_t heartbeat_s);
  // Sends every device's last frame, one after the other without a pause.
  [[nodiscard]] Status fall_silent();
  // Takes what comes until the last connection has ended or until `give_up`.
  void await_evictions(Nanoseconds give_up);

  const EvictionTally& tally() const { return tally_; }
  uint32_t open_connections() const { return open_; }

 private:
  struct Connection {
    UniqueFd socket;
    bool is_welcomed = false;
    bool is_told = false;  // GOAWAY 4003 has come
    uint16_t timeout_s = 0;
    Nanoseconds deadline = 0;
  };

  static constexpr uint32_t kUnwelcomedMax = 256;
  static constexpr int kBatchMax = 256;

  void poll(Nanoseconds until);
  void receive(Connection& connection);
  void read_frames(Connection& connection, std::span<const std::byte> bytes, Nanoseconds arrived);
  void on_goaway(Connection& connection, const Goaway& goaway, Nanoseconds arrived);
  void end(Connection& connection);

  const Address target_;
  const uint32_t first_id_;
  // From the clock of the kernel's time stamps to the monotonic one.
  const Nanoseconds realtime_ahead_ns_;
  UniqueFd epoll_;
  std::vector<Connection> connections_;
  std::array<epoll_event, kBatchMax> ready_{};
  uint32_t open_ = 0;
  uint32_t welcomed_ = 0;
  EvictionTally tally_;
};

}  // namespace holdfast::bench
