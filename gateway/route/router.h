#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/counter.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/mailbox.h"
#include "gateway/net/tls_handshake_threads.h"
#include "gateway/route/command.h"
#include "gateway/route/directory.h"

namespace holdfast {

// Where messages for a session go: the directory that names its loop, and the mailboxes between all
// threads. Each thread posts under its own lane.
// Thread: any, but a lane belongs to one thread: loop i has lane i, then come the handshake threads,
// the accept thread and the control thread.
// Owns: the directory, the mailboxes of the loops and of the control thread, and what each loop
// tells of its load.
class Router final : public AcceptSink, public HandshakeSink {
 public:
  explicit Router(LoopIndex loops, uint32_t handshake_threads = 0);

  LoopIndex loops() const { return loops_; }
  uint32_t handshake_threads() const { return handshake_threads_; }
  size_t loop_lane(LoopIndex loop) const { return loop; }
  size_t handshake_lane(uint32_t thread) const { return size_t{loops_} + thread; }
  size_t accept_lane() const { return size_t{loops_} + handshake_threads_; }
  size_t control_lane() const { return accept_lane() + 1; }

  Directory& directory() { return directory_; }
  Mailbox<LoopCommand>& loop_mailbox(LoopIndex loop) { return *loop_mailboxes_[loop]; }
  Mailbox<LoopReply>& control_mailbox() { return control_mailbox_; }

  // False when the lane is full: nothing was sent.
  [[nodiscard]] bool post_command(size_t lane, LoopIndex loop, LoopCommand&& command) {
    return loop_mailboxes_[loop]->post(lane, std::move(command));
  }

  LoopLoad& loop_load(LoopIndex loop) { return loads_[loop]; }
  // User memory of all connections: what limits.memory_max_mib is held against.
  uint64_t memory_bytes() const;
  void set_memory_bytes_max(uint64_t bytes) {
    memory_bytes_max_.store(bytes, std::memory_order_relaxed);
  }

  // AcceptSink, for the accept thread.
  size_t adopt_capacity(LoopIndex loop) override;
  void post_adopt(LoopIndex loop, AcceptedSocket&& socket) override;
  const LoopLoad& load(LoopIndex loop) const override { return loads_[loop]; }
  bool is_memory_full() const override;
  bool post_address_refused(LoopIndex loop, uint32_t slot, uint32_t generation) override;

  // HandshakeSink, for the handshake threads.
  void post_stepped(uint32_t thread, HandshakeJob&& job) override;

  // Capacities for the accept thread's own mailbox, a lane for each thread.
  std::vector<size_t> acceptor_lanes() const;

 private:
  std::vector<size_t> lanes(size_t loop_lane, size_t accept_lane, size_t control_lane) const;

  const LoopIndex loops_;
  const uint32_t handshake_threads_;
  std::vector<LoopLoad> loads_;
  std::atomic<uint64_t> memory_bytes_max_{0};  // 0: off
  Directory directory_;
  std::vector<std::unique_ptr<Mailbox<LoopCommand>>> loop_mailboxes_;
  Mailbox<LoopReply> control_mailbox_;
};

}  // namespace holdfast
