#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/byte_buffer.h"
#include "common/histogram.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "tests/bench/device_protocol.h"
#include "tests/bench/device_stream.h"
#include "tests/bench/native_protocol.h"

namespace holdfast::bench {

using Nanoseconds = uint64_t;  // on the monotonic clock

[[nodiscard]] Nanoseconds monotonic_ns();

// The longest heartbeat that a gateway grants: it need not ask.
inline constexpr uint16_t kHeartbeatMaxS = 1800;

// What came back. A PING counts in the window it was planned in, however late its PONG is.
struct PingTally {
  uint64_t asked = 0;    // PINGs of the server
  uint64_t evicted = 0;  // connections that the server closed for silence
  uint64_t sent = 0;
  uint64_t answered = 0;
  uint64_t sent_in_window = 0;
  uint64_t answered_of_window = 0;  // planned in the window, answered at any time
  uint64_t answered_in_window = 0;  // answered in the window, planned at any time
  Histogram round_trip_ns;          // of those planned in the window, from the planned time
};

// How long those took that were welcomed, each from before its connect(2).
struct ArrivalTally {
  Histogram handshake_ns;        // until TLS stood
  Histogram welcome_ns;          // until WELCOME
  Nanoseconds last_connect = 0;  // of arrive_all(): when all had come
};

// One answered PING.
struct PingSample {
  Nanoseconds planned = 0;
  Nanoseconds round_trip_ns = 0;
};

// Device connections to one server, all on one thread, by TCP alone or within TLS, that send PINGs
// in turn and count what comes back. They do not answer the server's own PINGs: they are silent
// between those of send_next().
// Thread: one.
// Owns: the sockets.
// Limit: what the descriptor limit allows; kUnwelcomedMax HELLOs are under way at a time.
class PingClient final {
 public:
  PingClient(const Address& target, uint32_t connections, uint32_t first_id,
             const DeviceProtocol& protocol = native_protocol(),
             uint16_t heartbeat_s = kHeartbeatMaxS, const TlsContext* tls = nullptr);
  PingClient(const PingClient&) = delete;
  PingClient& operator=(const PingClient&) = delete;

  // Connects everything and waits for the last WELCOME.
  [[nodiscard]] Status connect_all();
  // Connects everything as fast as it goes, however many have no WELCOME, and waits until each is
  // welcomed or lost, or it is `give_up`. Answers are not left lying meanwhile: each of so many
  // devices would give its own at once. Who was welcomed stands in arrivals().
  [[nodiscard]] Status arrive_all(Nanoseconds give_up);

  // PINGs planned between the two moments are the ones told apart in the tally.
  void set_window(Nanoseconds begin, Nanoseconds end);
  // Every answered PING is added to `samples` too, for windows that are known only afterwards.
  void keep_samples(std::vector<PingSample>& samples) { samples_ = &samples; }
  // With it every answered connection sends its next PING at once.
  void set_echoing(bool is_echoing) { is_echoing_ = is_echoing; }
  // Sends a PING on the connection whose turn it is, as planned for `planned`.
  void send_next(Nanoseconds planned);
  // Waits until something comes or until `until`, and handles what came.
  void poll_until(Nanoseconds until);
  // Sends one PING on every connection and waits until all are answered or it is `give_up`.
  void ping_all(Nanoseconds give_up);

  const PingTally& tally() const { return tally_; }
  const ArrivalTally& arrivals() const { return arrivals_; }
  uint32_t size() const { return static_cast<uint32_t>(connections_.size()); }
  // Connections that the other end has closed, or on which something went wrong.
  uint32_t lost_connections() const { return lost_connections_; }
  const std::string& first_loss() const { return first_loss_; }

 private:
  struct Connection {
    DeviceStream stream;
    uint32_t number = 0;
    Nanoseconds began = 0;
    bool has_said_hello = false;
    bool is_welcomed = false;
    bool is_evicted = false;
    ByteBuffer incomplete;             // a frame's first bytes
    std::vector<Nanoseconds> planned;  // of the PINGs that have no answer yet, oldest first
  };

  // Below the shortest backlog of the servers that are compared, Mosquitto's 100: beyond it
  // connect(2) would wait a second for the next try.
  static constexpr uint32_t kUnwelcomedMax = 64;
  static constexpr uint32_t kConnectionsPerSource = 2000;
  static constexpr int kBatchMax = 256;
  static constexpr uint32_t kBunchMax = 64;  // PINGs or connects between two looks at the answers

  [[nodiscard]] Status connect_one(uint32_t index);
  [[nodiscard]] Status wait_for_unwelcomed(uint32_t at_most);
  [[nodiscard]] bool begin_session(Connection& connection);
  void receive(Connection& connection, uint32_t events);
  [[nodiscard]] bool receive_some(Connection& connection);
  void read_frames(Connection& connection, std::span<const std::byte> bytes);
  void on_frame(Connection& connection, const ServerFrameResult& result);
  void on_pong(Connection& connection);
  void send_ping(Connection& connection, Nanoseconds planned);
  void on_end(Connection& connection);
  void lose(Connection& connection, const std::string& why);

  const Address target_;
  const DeviceProtocol& protocol_;
  const uint32_t first_id_;
  const uint16_t heartbeat_s_;
  const TlsContext* const tls_;  // nullptr: none
  UniqueFd epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::byte> receive_buffer_;
  std::array<epoll_event, kBatchMax> ready_{};
  uint32_t next_ = 0;
  uint32_t unwelcomed_ = 0;
  uint32_t lost_connections_ = 0;
  std::string first_loss_;
  bool is_echoing_ = false;
  std::vector<PingSample>* samples_ = nullptr;
  Nanoseconds window_begin_ = 0;
  Nanoseconds window_end_ = 0;
  Nanoseconds now_ = 0;
  PingTally tally_;
  ArrivalTally arrivals_;
};

}  // namespace holdfast::bench
