#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/address.h"
#include "common/histogram.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "tests/bench/device_stream.h"
#include "tests/bench/ping_client.h"
#include "tests/bench/tls_context.h"

namespace holdfast::bench {

// Handshakes of which the server, too, has seen the end: in TLS 1.3 it sends what a session can be
// resumed by only after the client's last word; in a full one of TLS 1.2 its own word is the last.
// One counts in the window that it ended in.
struct HandshakeTally {
  uint64_t completed = 0;
  uint64_t resumed = 0;  // of them; SSL_session_reused(3ssl)
  uint64_t failed = 0;
  Histogram latency_ns;  // of those completed, from before connect(2) until the client's side stood
  std::string first_failure;
  std::string suite;  // what was agreed on
};

// A closed loop: a number of connections that each connect, do the handshake of TLS, close, wait
// for the server's end, and begin again.
// Thread: one.
// Owns: the sockets.
// Limit: what the descriptor limit allows.
class HandshakeClient final {
 public:
  enum class Kind : uint8_t { kFull, kResumed };

  // kResumed: each connection offers what its last one got; the first of each is a full one and does
  // not count. Of TLS 1.3 only.
  HandshakeClient(const Address& target, uint32_t connections, const TlsContext& tls, Kind kind);
  HandshakeClient(const HandshakeClient&) = delete;
  HandshakeClient& operator=(const HandshakeClient&) = delete;

  [[nodiscard]] Status start();
  // Goes round and round until then; an error when there is no connecting any more.
  [[nodiscard]] Status run_until(Nanoseconds end);
  // What is under way is brought to its end, and nothing new begun; false when it is `give_up`.
  [[nodiscard]] bool finish(Nanoseconds give_up);
  // From now on things count.
  void clear_tally() { tally_ = {}; }

  const HandshakeTally& tally() const { return tally_; }

 private:
  enum class Phase : uint8_t {
    kIdle,        // nothing is open
    kHandshake,   // the client's side does not stand yet
    kNoTicket,    // it does, and nothing proves yet that the server's does
    kWaitForEnd,  // closed on this side; the server's end comes next
  };
  struct Connection {
    DeviceStream stream;
    SslSessionHandle ticket;  // the newest of this connection; what the next one may offer
    SslSessionHandle offered;
    Phase phase = Phase::kIdle;
    Nanoseconds began = 0;
  };

  static constexpr int kBatchMax = 256;
  static constexpr uint32_t kSources = 64;

  [[nodiscard]] Status begin(Connection& connection);
  void poll_until(Nanoseconds until);
  void advance(Connection& connection);
  void handshake(Connection& connection);
  void read(Connection& connection);
  void complete_if_proven(Connection& connection);
  void end(Connection& connection);
  void fail(Connection& connection, const std::string& why);

  const Address target_;
  const TlsContext& tls_;
  const Kind kind_;
  UniqueFd epoll_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::array<epoll_event, kBatchMax> ready_{};
  uint32_t begun_ = 0;
  uint32_t open_ = 0;
  bool is_finishing_ = false;
  Status last_begin_ = Status::ok();
  HandshakeTally tally_;
};

}  // namespace holdfast::bench
