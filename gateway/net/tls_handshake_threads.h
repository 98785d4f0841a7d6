#pragma once

#include <cstdint>
#include <memory>
#include <thread>
#include <variant>
#include <vector>

#include "common/counter.h"
#include "gateway/net/accepted_socket.h"
#include "gateway/net/mailbox.h"
#include "gateway/net/tls_handshake.h"

namespace holdfast {

// A handshake on its way to a thread and back. The slot names the connection that it belongs to;
// whether that still lives is for its loop to see.
struct HandshakeJob {
  std::unique_ptr<TlsHandshake> handshake;
  LoopIndex loop = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
};

// The threads' way back to the loops.
class HandshakeSink {
 public:
  virtual ~HandshakeSink() = default;
  // From handshake thread number `thread`. Never full: a loop gives each thread only so many.
  virtual void post_stepped(uint32_t thread, HandshakeJob&& job) = 0;
};

// The threads that do the steps of TLS handshakes which loops do not do in idle moments, so that no
// crowd of them, at hundreds of microseconds of computing each, and no long one stands between a
// living session and its PONG. They are below the loops in the scheduler's eyes, and own nothing: a
// job is worked on and sent back.
// Thread: start() and stop() from the thread that made it; post() from the loop that it names.
// Limit: kJobsPerLoopMax jobs of each loop at each thread; post() refuses beyond them.
class TlsHandshakeThreads final {
 public:
  static constexpr size_t kJobsPerLoopMax = 16;

  TlsHandshakeThreads(uint32_t threads, LoopIndex loops, HandshakeSink& sink);
  ~TlsHandshakeThreads();

  void start();
  void stop();  // waits for the end; jobs that wait are dropped

  uint32_t count() const { return static_cast<uint32_t>(threads_.size()); }
  [[nodiscard]] bool post(uint32_t thread, HandshakeJob&& job);
  // User and system time that a thread has spent.
  const Counter& cpu_us(uint32_t thread) const { return threads_[thread]->cpu_us; }

 private:
  struct Stop {};
  using Message = std::variant<std::monostate, HandshakeJob, Stop>;
  struct Worker {
    explicit Worker(const std::vector<size_t>& lanes) : mailbox(lanes) {}
    Mailbox<Message> mailbox;
    Counter cpu_us;
    std::thread thread;
  };

  // Finished jobs that leave together, with one wake of their loop.
  static constexpr size_t kJobsPerReply = 4;

  void run(uint32_t number);
  void send_back(uint32_t number, std::vector<HandshakeJob>& done);

  const LoopIndex loops_;
  HandshakeSink& sink_;
  std::vector<std::unique_ptr<Worker>> threads_;
};

}  // namespace holdfast
