#include "gateway/route/router.h"

namespace holdfast {
namespace {

// The accept thread's lane carries a connection storm; the others, take-overs and an operator's
// wishes.
constexpr size_t kAcceptLane = 4096;
constexpr size_t kControlLane = 1024;
constexpr size_t kLoopLane = 256;
constexpr size_t kReplyLane = 256;
constexpr size_t kAddressLane = 4096;

}  // namespace

Router::Router(LoopIndex loops, uint32_t handshake_threads)
    : loops_(loops),
      handshake_threads_(handshake_threads),
      loads_(loops),
      control_mailbox_(lanes(kReplyLane, 2, 2)) {
  for (LoopIndex loop = 0; loop < loops; ++loop) {
    loop_mailboxes_.push_back(
        std::make_unique<Mailbox<LoopCommand>>(lanes(kLoopLane, kAcceptLane, kControlLane)));
  }
}

// A lane for each thread. The handshake threads' hold all that a loop gives them.
std::vector<size_t> Router::lanes(size_t loop_lane, size_t accept_lane, size_t control_lane) const {
  std::vector<size_t> capacities(loops_, loop_lane);
  capacities.insert(capacities.end(), handshake_threads_, TlsHandshakeThreads::kJobsPerLoopMax);
  capacities.push_back(accept_lane);
  capacities.push_back(control_lane);
  return capacities;
}

uint64_t Router::memory_bytes() const {
  uint64_t bytes = directory_.size() * Directory::kBytesPerDevice;
  for (const LoopLoad& load : loads_) bytes += load.memory_bytes.value();
  return bytes;
}

bool Router::is_memory_full() const {
  const uint64_t max = memory_bytes_max_.load(std::memory_order_relaxed);
  return max > 0 && memory_bytes() >= max;
}

size_t Router::adopt_capacity(LoopIndex loop) {
  // Half of the lane is kept for post_address_refused(), so that a storm does not hold it up.
  const size_t free = loop_mailboxes_[loop]->free_slots(accept_lane());
  return free > kAcceptLane / 2 ? free - kAcceptLane / 2 : 0;
}

void Router::post_adopt(LoopIndex loop, AcceptedSocket&& socket) {
  HF_CHECK(post_command(accept_lane(), loop, AdoptSocket{std::move(socket)}));
}

bool Router::post_address_refused(LoopIndex loop, uint32_t slot, uint32_t generation) {
  const SessionRef target(loop, slot, generation);
  return post_command(accept_lane(), loop, Kick{target, CloseReason::kAddressLimit, 0});
}

void Router::post_stepped(uint32_t thread, HandshakeJob&& job) {
  const LoopIndex loop = job.loop;
  HF_CHECK(post_command(handshake_lane(thread), loop, HandshakeStepped{std::move(job), thread}));
}

std::vector<size_t> Router::acceptor_lanes() const { return lanes(kAddressLane, 2, kControlLane); }

}  // namespace holdfast
