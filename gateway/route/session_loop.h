#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/clock.h"
#include "common/protocol/native.h"
#include "common/protocol/proxy_protocol.h"
#include "common/protocol/sniff.h"
#include "common/token_bucket.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/loop.h"
#include "gateway/net/retry_delay.h"
#include "gateway/net/tls_cipher.h"
#include "gateway/route/command.h"
#include "gateway/route/handshake_desk.h"
#include "gateway/route/loop_counters.h"
#include "gateway/route/outbox.h"
#include "gateway/route/router.h"
#include "gateway/session/session_table.h"
#include "gateway/session/turn_output.h"

namespace holdfast {

// One loop's connections from adoption to close: bytes come in from the poller, become frames, move
// sessions from state to state, and frames go out; the wheel and the LRU list end the dead and the
// idle; commands of other threads come in through the mailbox.
// Thread: its loop's. start() and join() from the thread that made it; counters() from any.
// Owns: the sockets, records and buffers of its connections.
// Limit: `slots_max` connections; per connection, LoopSettings; per round, the slices named below.
// A connection that closes is unlinked at once and freed later in the round, never within its turn.
class SessionLoop final : private LoopHandler {
 public:
  // `session_id_key`: secret of the process, so that session ids tell nothing.
  SessionLoop(LoopIndex index, Router& router, Mailbox<AcceptorMessage>& acceptor,
              TlsHandshakeThreads& handshake_threads, std::shared_ptr<const LoopSettings> settings,
              uint32_t slots_max, uint64_t session_id_key);
  ~SessionLoop() override;

  Status open() { return loop_.open(); }
  void start(int cpu) { loop_.start(cpu); }
  void join() { loop_.join(); }
  const LoopCounters& counters() const { return counters_; }

 private:
  static constexpr uint32_t kNoSlot = SessionTable::kNone;
  static constexpr size_t kReceiveBytes = 65536;
  // Of a connection whose handshake is not over: a stranger's bytes are kept until a step takes
  // them.
  static constexpr size_t kReceiveBytesInHandshake = 4096;
  // Opening the smallest of records costs more than the bytes that carry it.
  static constexpr size_t kReceiveBytesWithinTls = 16384;
  // One connection's reads before the others get their turn.
  static constexpr int kReadsPerTurn = 4;
  static constexpr size_t kMessagesPerRound = 256;
  // Wheel entries between two looks at the clock: an entry may cost an eviction, 15 us.
  static constexpr size_t kWheelSlice = 4;
  // How long a slice of a tick's work may take. Every living session may have to wait for one, so it
  // is short; but no shorter than a fifth of what the events before it took, at about 10 us each, so
  // that deadlines are met in a loop that is full of them too.
  static constexpr uint64_t kTickSliceMinUs = 100;
  static constexpr uint64_t kTickSliceMaxUs = 1000;
  static constexpr uint64_t kTickSliceUsPerTurn = 2;
  // A newcomer that says nothing gives way before any session does, once it had this long.
  static constexpr int32_t kHelloGraceMs = 1000;
  // Slots looked at for one ListSessions.
  static constexpr uint32_t kListSlots = 4096;

  // LoopHandler
  void on_started() override;
  void on_ready(std::span<const ConnectionPoller::Ready> batch) override;
  void on_wake() override;
  Milliseconds on_tick() override;
  void on_rest() override;
  bool on_idle() override;

  // Input (session_loop_input.cc).
  void take_turn(uint32_t slot, uint32_t events);
  template <class Act>
  void run_turn(uint32_t slot, Act&& act);
  static size_t receive_bytes_of(const HotRecord& record);
  void read_input(uint32_t slot, uint32_t events);
  void on_input_end(uint32_t slot);
  void discard_input(uint32_t slot);
  void read_again_later(uint32_t slot);
  void take_bytes(uint32_t slot, std::span<std::byte> bytes);
  void consume(uint32_t slot, std::span<const std::byte> bytes);
  size_t parse(uint32_t slot, std::span<const std::byte> input);
  size_t parse_proxy_header(uint32_t slot, std::span<const std::byte> input);
  void set_peer(uint32_t slot, const proxy_protocol::ParseResult& header);
  bool sniff_protocol(uint32_t slot, std::span<const std::byte> input);
  size_t parse_frame(uint32_t slot, std::span<const std::byte> input);
  void on_frame(uint32_t slot, const Frame& frame);
  void log_in(uint32_t slot, const Hello& hello);
  void take_over(SessionRef older);
  void note_alive(uint32_t slot);
  void answer_ping(uint32_t slot, const Ping& ping);
  void answer_message(uint32_t slot, const Message& message);

  // TLS (session_loop_tls.cc).
  const ListenerTls& tls_of(uint32_t slot) const;
  SessionState first_state(uint32_t slot) const;
  bool is_tls_due(uint32_t slot) const;
  bool choose_transport(uint32_t slot, std::span<const std::byte> input);
  void begin_handshake(uint32_t slot, std::span<const std::byte> input);
  void feed_handshake(uint32_t slot, std::span<const std::byte> input);
  bool waits_for_step(uint32_t slot, uint32_t events);
  void ask_for_step(uint32_t slot);
  void hand_out_steps();
  void do_kept_step();
  std::unique_ptr<TlsHandshake> take_handshake(uint32_t slot, uint32_t generation);
  void on_stepped(uint32_t slot, std::unique_ptr<TlsHandshake> handshake);
  void secure(uint32_t slot, uint32_t events);
  void fail_handshake(uint32_t slot, TlsFailure failure);
  void end_handshake(uint32_t slot);
  void abandon_handshake(uint32_t slot, CloseReason reason);
  void on_handshake_overdue(uint32_t slot);
  void make_room_for_handshakes();
  void consume_records(uint32_t slot, std::span<std::byte> bytes);
  size_t open_records(uint32_t slot, std::span<std::byte> input);
  void answer_key_update(uint32_t slot);
  void refuse_record(uint32_t slot, TlsAlert alert);
  std::span<const std::byte> seal(uint32_t slot, std::span<const std::byte> frames);
  std::span<const std::byte> seal_last(uint32_t slot, CloseReason reason,
                                       std::span<const std::byte> before,
                                       std::span<const std::byte> goaway);
  bool is_device_certified(uint32_t slot, std::string_view device_id);
  void drop_tls_entry(uint32_t slot);

  // Output and closing (session_loop_output.cc).
  template <class OneFrame>
  void say(uint32_t slot, const OneFrame& frame);
  void send_turn_output(uint32_t slot);
  bool transmit(uint32_t slot, std::span<const std::byte> bytes);
  bool transmit_raw(uint32_t slot, std::span<const std::byte> bytes);
  bool enqueue(uint32_t slot, std::span<const std::byte> bytes);
  void flush_queue(uint32_t slot);
  void close(uint32_t slot, CloseReason reason, uint32_t reconnect_window_ms = kReconnectWindowMs);
  bool may_hear(uint32_t slot, CloseReason reason) const;
  bool say_goaway(uint32_t slot, CloseReason reason, uint32_t reconnect_window_ms);
  void retire(uint32_t slot);
  void free_retired();
  ConnectionIo& io_of(uint32_t slot);
  void drop_io_if_empty(uint32_t slot);

  // Commands of other threads (session_loop_commands.cc).
  void handle(AdoptSocket&& command);
  void handle(HandshakeStepped&& command);
  void handle(Kick&& command);
  void handle(SetHeartbeat&& command);
  void handle(DescribeSession&& command);
  void handle(ListSessions&& command);
  void handle(StartDrain&& command);
  void handle(StopDrain&& command);
  void handle(ApplySettings&& command);
  void handle(StopLoop&& command);
  void handle(std::monostate) {}
  void turn_away(AcceptedSocket& accepted);
  void reply(LoopReply&& reply);
  bool is_session(SessionRef ref) const;
  SessionView view_of(uint32_t slot);

  // Deadlines and room (session_loop.cc).
  void on_due(uint32_t slot);
  void schedule(uint32_t slot);
  bool fire_wheel();
  bool has_overdue_hello();
  uint32_t next_to_shed();
  bool shed_one();
  bool shed_for_memory();
  bool drain_some();
  bool has_load_changed() const;
  void publish_load();
  uint64_t idlest_ms();
  void do_due_work();
  void measure_tick();
  SessionRef ref_of(uint32_t slot);
  uint64_t session_id_of(uint32_t slot);
  uint64_t memory_bytes() const;
  void end_round();

  const LoopIndex index_;
  const uint64_t session_id_key_;
  Router& router_;
  Outbox outbox_;
  std::shared_ptr<const LoopSettings> settings_;
  WrappingMs now_;
  SessionTable table_;
  LoopCounters counters_;
  LoopLoad& load_;
  uint64_t io_bytes_ = 0;        // of all ConnectionIo
  uint64_t identity_bytes_ = 0;  // of identities, beyond the records

  uint32_t turn_slot_ = kNoSlot;
  TurnOutput turn_output_;
  std::vector<std::byte> receive_buffer_;
  HandshakeDesk desk_;
  TlsCipher cipher_;
  std::vector<std::byte> seal_buffer_;
  struct SlotName {
    uint32_t slot;
    uint32_t generation;
  };
  std::vector<SlotName> input_waiting_;  // turns that ended before their input did
  std::vector<SlotName> input_now_;
  std::vector<uint32_t> retired_;

  bool is_draining_ = false;
  TokenBucket drain_rate_;
  uint32_t drain_window_ms_ = 0;

  uint64_t tick_planned_us_ = 0;
  uint64_t lag_max_us_ = 0;
  uint64_t measured_us_ = 0;
  uint64_t turns_before_slice_ = 0;

  Loop loop_;
};

// What the connection says meanwhile leaves in one send.
template <class Act>
void SessionLoop::run_turn(uint32_t slot, Act&& act) {
  turn_slot_ = slot;
  act();
  if (is_reading(table_.hot(slot).state)) send_turn_output(slot);
  turn_output_.clear();
  turn_slot_ = kNoSlot;
  drop_io_if_empty(slot);
}

// Gathered while it is the connection's turn, sent at once otherwise.
template <class OneFrame>
void SessionLoop::say(uint32_t slot, const OneFrame& frame) {
  if (slot == turn_slot_) {
    if (turn_output_.add(frame)) return;
    send_turn_output(slot);
    if (is_reading(table_.hot(slot).state)) HF_CHECK(turn_output_.add(frame));
    return;
  }
  std::array<std::byte, native::kControlFrameBytesMax> bytes{};
  transmit(slot, std::span(bytes).first(native::encode(frame, bytes)));
}

}  // namespace holdfast
