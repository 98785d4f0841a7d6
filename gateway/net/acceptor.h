#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "common/counter.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "gateway/net/accepted_socket.h"
#include "gateway/net/admission.h"
#include "gateway/net/event_base.h"
#include "gateway/net/mailbox.h"

namespace holdfast {

// What one loop tells the accept thread, so that it can place newcomers. Written by the loop.
struct LoopLoad {
  static constexpr uint64_t kOverdueHelloMs = uint64_t{1} << 32;
  Counter closed;  // connections that have ended since the start
  // How long the connection that the loop would shed next has been silent; 0: it has none. One that
  // had its time to say HELLO counts kOverdueHelloMs more: it goes before any loop's session.
  Counter idlest_ms;
  Counter memory_bytes;  // records, buffers and identities of its connections
};

// The accept thread's way to the loops.
class AcceptSink {
 public:
  virtual ~AcceptSink() = default;
  // Sockets that the loop's mailbox has room for.
  virtual size_t adopt_capacity(LoopIndex loop) = 0;
  // Call only while adopt_capacity() is above 0.
  virtual void post_adopt(LoopIndex loop, AcceptedSocket&& socket) = 0;
  virtual const LoopLoad& load(LoopIndex loop) const = 0;
  virtual bool is_memory_full() const = 0;
  // The connection behind a balancer may not stay.
  // False when the loop's mailbox is full: try again.
  [[nodiscard]] virtual bool post_address_refused(LoopIndex loop, uint32_t slot,
                                                  uint32_t generation) = 0;
};

// Closed set: what other threads tell the accept thread.
struct SetAdmission {
  AdmissionLimits limits;
};
struct SetDraining {
  bool is_draining = false;
  uint32_t reconnect_window_ms = 0;
};
struct AddressReleased {
  Address peer;
  uint8_t epoch = 0;
};
// A balancer's header told the true peer of a connection: may it stay?
struct AddressSeen {
  Address peer;
  uint8_t epoch = 0;
  LoopIndex loop = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
};
struct StopAccepting {};
using AcceptorMessage = std::variant<std::monostate, SetAdmission, SetDraining, AddressReleased,
                                     AddressSeen, StopAccepting>;

struct ListenerSocket {
  UniqueFd socket;
  Address address;
  bool has_proxy_header = false;
  bool is_tls_only = false;  // a refusal is told by closing alone
};

// The accept thread: takes connections off the listeners, decides whether they may stay, and hands
// each to the loop that has the fewest.
// Thread: its own, between start() and stop(); counters may be read from any.
// Owns: the listening sockets, the admission counts, one spare descriptor.
// Limit: kAcceptsPerRound accepts before other events get their turn; when accept() fails it waits,
// so that no more than 20 failing calls are made a second.
class Acceptor final {
 public:
  struct Counters {
    Counter accepted;
    Counter accept_errors;
    Counter pauses;  // a loop's mailbox was full, or accept() failed
    std::array<Counter, kRefuseReasons> refused;
    Counter addresses;
  };

  // `lane_capacities`: one lane of the mailbox for each thread that posts.
  // Admits nobody until the first SetAdmission.
  Acceptor(std::vector<ListenerSocket> listeners, LoopIndex loops, AcceptSink& sink,
           const std::vector<size_t>& lane_capacities);
  ~Acceptor();

  void start();
  void stop();  // from another thread, after StopAccepting was posted: waits for the end

  Mailbox<AcceptorMessage>& mailbox() { return mailbox_; }
  const Counters& counters() const { return counters_; }
  // Connections handed to loops and not closed since.
  uint64_t open_connections() const;

 private:
  static constexpr int kAcceptsPerRound = 64;
  static constexpr int kRefusalsOnSpareMax = 16;

  void run();
  void on_listener_ready(ListenerIndex listener);
  void on_accepted(UniqueFd socket, const Address& peer, ListenerIndex listener);
  void on_accept_error(ListenerIndex listener, int error);
  void refuse_with_spare(ListenerIndex listener);
  void refuse(UniqueFd socket, ListenerIndex listener, RefuseReason reason);
  void open_spare();
  void pause(Milliseconds duration);
  void resume();
  void read_mailbox();
  void handle(AcceptorMessage&& message);
  void check_address(const AddressSeen& seen);
  void post_late_refusals();
  LoopIndex least_loaded() const;
  LoopIndex idlest_loop() const;

  std::vector<ListenerSocket> listeners_;
  const LoopIndex loops_;
  AcceptSink& sink_;
  Mailbox<AcceptorMessage> mailbox_;
  Admission admission_;
  EventBase base_;
  std::vector<EventBase::Watch*> listener_watches_;
  EventBase::Watch* resume_timer_ = nullptr;
  EventBase::Watch* refusal_timer_ = nullptr;
  std::vector<AddressSeen> late_refusals_;  // not told to their loops yet
  UniqueFd spare_;
  Milliseconds error_backoff_{0};
  bool is_draining_ = false;
  uint32_t reconnect_window_ms_;
  std::vector<Counter> handed_;  // connections given to each loop
  Counters counters_;
  std::thread thread_;
};

}  // namespace holdfast
