#pragma once

#include <sys/epoll.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/address.h"
#include "common/byte_buffer.h"
#include "common/clock.h"
#include "common/protocol/frame.h"
#include "common/timing_wheel.h"
#include "common/unique_fd.h"
#include "tools/conn_flood/client.h"
#include "tools/conn_flood/options.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/random.h"
#include "tools/conn_flood/run.h"
#include "tools/conn_flood/tally.h"
#include "tools/conn_flood/tls_client.h"
#include "tools/conn_flood/wire.h"

namespace holdfast::flood {

// Every workers-th client of the plan, beginning with the worker's own number: their sockets in one
// epoll set, their times in one wheel.
// Thread: the one that calls run(). Shares nothing but its tally and the phase.
// Owns: the clients' sockets.
class Worker final {
 public:
  // `options`, `plan`, `run` and `tls` (null: none) outlive it.
  Worker(const Options& options, const Plan& plan, SharedRun& run, const TlsClientContext* tls,
         uint32_t number);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Returns when every client is gone for good.
  void run();

 private:
  friend class TimingWheel<Worker>;
  // What a client has besides its record when connections are secured.
  struct TlsSide {
    std::unique_ptr<TlsLink> link;  // of a connected socket
    TlsTicket ticket;               // of the last connection, for the next
    uint64_t began_us = 0;          // when the handshake did
  };

  WheelLinks& wheel_links(uint32_t index) { return clients_[index].wheel; }

  // The turn of the loop (worker.cc).
  void follow_phase();
  void begin_hold();
  bool start_due_clients();
  bool fire_due_timers();
  bool say_farewells();
  void wait_for_events(bool has_more_to_do);
  uint64_t ns_until_next_wake() const;
  void drop_unborn_clients();

  // A connection's beginning and end (worker_connections.cc).
  uint32_t plan_number(uint32_t index) const { return number_ + index * workers_; }
  void connect(uint32_t index, uint64_t planned_us);
  const Address& target_of(uint32_t index) const;
  const Address* source_of(uint32_t index) const;
  void move_target(Client& client, std::string_view address);
  bool watch(uint32_t index);
  void fail_connect(uint32_t index, int error);
  void end(uint32_t index, EndCause cause, const Goaway& goaway = {});
  void count_end(const Client& client, const EndFacts& facts, Ending ending);
  void count_loss(const Client& client, EndCause cause);
  void count_eviction(const Client& client, Ending ending);
  void count_unanswered(const Client& client);
  void release_socket(uint32_t index);
  void follow_verdict(uint32_t index, const Verdict& verdict, const Goaway& goaway);
  void settle(Client& client);

  // A connection's TLS (worker_tls.cc).
  void begin_tls(uint32_t index);
  void shake_hands(uint32_t index);
  void on_secured(uint32_t index);
  void count_tls_failure(uint32_t index, EndCause cause);
  void say_close(uint32_t index);
  void release_tls(uint32_t index);

  // What is due (worker.cc).
  void on_due(uint32_t index);
  void on_live_due(uint32_t index);
  void on_silent_due(uint32_t index);
  void farewell(uint32_t index);
  void retire(uint32_t index);
  void act(uint32_t index);
  void fall_silent(uint32_t index);
  void leave(uint32_t index);
  void leave_churning(uint32_t index);
  void plan_act(Client& client);
  bool falls_silent_now(const Client& client) const;
  WrappingMs acts_begin() const;
  void rearm(uint32_t index);
  void move(Client& client, ClientEvent event);

  // What comes and goes on a socket (worker_frames.cc).
  void on_event(uint32_t index, uint32_t events);
  void on_connect_event(uint32_t index, uint32_t events);
  IoResult receive(uint32_t index);
  IoResult transmit(uint32_t index, std::span<const std::byte> bytes);
  void read_frames(uint32_t index, bool to_the_end);
  bool take_bytes(uint32_t index, std::span<const std::byte> bytes);
  size_t take_whole_frames(uint32_t index, std::span<const std::byte> bytes);
  void on_frame(uint32_t index, const Frame& frame);
  void on_welcome(uint32_t index, const Welcome& welcome);
  void on_server_ping(uint32_t index, const Ping& ping);
  void on_pong(uint32_t index, const Pong& pong);
  void on_message(uint32_t index, const Message& message);
  void change_interval(uint32_t index, uint16_t heartbeat_s);
  void record_round_trip(uint64_t planned_us);
  void send_hello(uint32_t index);
  void send_ping(uint32_t index);
  void send_ping_flood(uint32_t index);
  void send_frame(uint32_t index, size_t bytes);
  void send_bytes(uint32_t index, std::span<const std::byte> bytes);
  void flush_unsent(uint32_t index);

  void read_clock();
  WrappingMs now_ms() const { return WrappingMs(static_cast<uint32_t>(now_us_ / 1000)); }
  // Of a moment not far from now, in microseconds since the run's start.
  uint64_t full_us(WrappingMs moment) const;

  CountTable<Counter>& counters() { return tally_.counters; }

  // Constant.
  const Options& options_;
  const Plan& plan_;
  SharedRun& run_;
  const TlsClientContext* const tls_;  // null: connections are plain
  const uint32_t number_;
  const uint32_t workers_;
  const uint32_t clients_planned_;

  Tally& tally_;
  Random random_;
  Phase phase_ = Phase::kRamp;
  uint64_t now_us_ = 0;  // since the run's start; read once a turn and before what is timed
  uint64_t hold_began_us_ = UINT64_MAX;
  uint64_t calm_until_us_ = UINT64_MAX;
  UniqueFd epoll_;
  std::vector<Client> clients_;     // those that the ramp has come to
  std::vector<TlsSide> tls_sides_;  // by client; none when connections are plain
  TimingWheel<Worker> wheel_;
  std::vector<Address> other_targets_;  // that GOAWAYs named, each once
  uint32_t in_flight_ = 0;              // connecting, securing or greeting
  uint32_t gone_ = 0;
  uint32_t silent_ = 0;  // clients now in kSilent
  bool has_seen_eviction_ = false;
  uint32_t farewell_cursor_ = 0;  // in the last phases: clients before it were told
  std::unordered_map<uint32_t, ByteBuffer> partial_input_;
  std::unordered_map<uint32_t, ByteBuffer> unsent_output_;
  std::vector<std::byte> rx_;
  std::vector<std::byte> ping_flood_;
  std::array<std::byte, wire::kFrameBytesMax> tx_;
  std::array<epoll_event, 256> events_;
};

}  // namespace holdfast::flood
