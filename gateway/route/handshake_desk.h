#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/net/tls_handshake_threads.h"

namespace holdfast {

// Where one loop's connections ask for a step of their TLS handshake. Steps go out to the threads
// as these have room: those of handshakes that have begun first, then, in the order in which they
// came and while few enough are going on, the first steps of others.
// Thread: the owning loop only.
// Limit: `begun_max` handshakes going on; each thread's kJobsPerLoopMax.
class HandshakeDesk final {
 public:
  HandshakeDesk(LoopIndex loop, TlsHandshakeThreads& threads)
      : loop_(loop), threads_(threads), out_(threads.count()) {}

  void set_begun_max(uint32_t max) { begun_max_ = max; }

  void ask(uint32_t slot, uint32_t generation, bool is_begun) {
    (is_begun ? begun_asking_ : new_asking_).push_back({slot, generation});
  }

  // Hands out what may go. take(slot, generation) gives the handshake, or null when its connection
  // has gone meanwhile; it says note_begun() for a new one.
  template <class Take>
  void hand_out(Take&& take) {
    while (has_room()) {
      const bool is_begun = !begun_asking_.empty();
      if (!is_begun && (new_asking_.empty() || begun_ >= begun_max_)) return;
      std::deque<Name>& asking = is_begun ? begun_asking_ : new_asking_;
      const Name name = asking.front();
      asking.pop_front();
      std::unique_ptr<TlsHandshake> handshake = take(name.slot, name.generation);
      if (handshake == nullptr) continue;
      post({std::move(handshake), loop_, name.slot, name.generation});
    }
  }

  void note_begun() { ++begun_; }
  void note_ended() { --begun_; }
  void note_returned(uint32_t thread) { --out_[thread]; }

  uint32_t begun() const { return begun_; }
  // Others wait, and none of them will begin before one that goes on has ended.
  bool is_crowded() const { return begun_ >= begun_max_ && !new_asking_.empty(); }
  size_t waiting() const { return new_asking_.size(); }

 private:
  struct Name {
    uint32_t slot;
    uint32_t generation;
  };

  bool has_room() const { return out_[idlest_thread()] < TlsHandshakeThreads::kJobsPerLoopMax; }

  uint32_t idlest_thread() const {
    return static_cast<uint32_t>(std::min_element(out_.begin(), out_.end()) - out_.begin());
  }

  void post(HandshakeJob&& job) {
    const uint32_t thread = idlest_thread();
    ++out_[thread];
    HF_CHECK(threads_.post(thread, std::move(job)));
  }

  const LoopIndex loop_;
  TlsHandshakeThreads& threads_;
  std::vector<uint32_t> out_;  // jobs at each thread or on their way back
  std::deque<Name> begun_asking_;
  std::deque<Name> new_asking_;
  uint32_t begun_ = 0;
  uint32_t begun_max_ = 1;
};

}  // namespace holdfast
