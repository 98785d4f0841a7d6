#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "gateway/net/tls_handshake_threads.h"

namespace holdfast {

// Where one loop's connections ask for a step of their TLS handshake. While few handshakes are going
// on, short steps are kept for the loop's own idle moments. The others go out to the threads as these have room: those of
// handshakes that have begun first, then, in the order in which they came and while few enough are
// going on, the first steps of others.
// Thread: the owning loop only.
// Limit: `begun_max` handshakes going on; `kept_max` steps kept, and none while more than that are
// going on; each thread's kJobsPerLoopMax.
class HandshakeDesk final {
 public:
  HandshakeDesk(LoopIndex loop, TlsHandshakeThreads& threads)
      : loop_(loop), threads_(threads), out_(threads.count()) {}

  void set_begun_max(uint32_t max) { begun_max_ = max; }
  void set_kept_max(size_t max) { kept_max_ = max; }

  // `is_short`: the loop itself may do it. A newcomer's step is kept only when nobody waits to begin,
  // and then has its place among those that go on: it overtakes nobody and is not overtaken.
  void ask(uint32_t slot, uint32_t generation, bool is_begun, bool is_short) {
    const Name name{slot, generation, is_begun};
    const bool may_go = is_begun || (new_asking_.empty() && has_place());
    // In a crowd the loop is there for the living.
    const bool is_crowd = begun_ + places_kept_ > kept_max_ || kept_.size() >= kept_max_;
    if (!is_short || !may_go || is_crowd) return asking_queue(name).push_back(name);
    kept_.push_back(name);
    if (!is_begun) ++places_kept_;
  }

  // Hands out what may go. take(slot, generation) gives the handshake, or null when its connection
  // has gone meanwhile; it says note_begun() for a new one.
  template <class Take>
  void hand_out(Take&& take) {
    while (has_room()) {
      const bool is_begun = !begun_asking_.empty();
      if (!is_begun && (new_asking_.empty() || !has_place())) return;
      std::deque<Name>& asking = is_begun ? begun_asking_ : new_asking_;
      const Name name = asking.front();
      asking.pop_front();
      std::unique_ptr<TlsHandshake> handshake = take(name.slot, name.generation);
      if (handshake != nullptr) post(job_of(name, std::move(handshake)));
    }
  }

  bool has_kept() const { return !kept_.empty(); }
  // The next step for the loop itself; without a handshake when there is none. `take` as above.
  template <class Take>
  HandshakeJob next_kept(Take&& take) {
    while (has_kept()) {
      const Name name = take_kept();
      std::unique_ptr<TlsHandshake> handshake = take(name.slot, name.generation);
      if (handshake != nullptr) return job_of(name, std::move(handshake));
    }
    return {};
  }
  // At every tick: what was kept at the last one already has waited long enough for an idle moment,
  // and is the threads' too from now on.
  void let_go_of_stale() {
    std::vector<Name> stale;
    while (kept_done_ < kept_at_tick_ && has_kept()) stale.push_back(take_kept());
    // They came before whoever waits already: the last of them first, to the front.
    for (auto name = stale.rbegin(); name != stale.rend(); ++name) {
      asking_queue(*name).push_front(*name);
    }
    kept_at_tick_ = kept_.size();
    kept_done_ = 0;
  }

  void note_begun() { ++begun_; }
  void note_ended() { --begun_; }
  void note_returned(uint32_t thread) { --out_[thread]; }

  uint32_t begun() const { return begun_; }
  // Others wait, and none of them will begin before one that goes on has ended.
  bool is_crowded() const { return begun_ >= begun_max_ && !new_asking_.empty(); }
  size_t waiting() const { return new_asking_.size() + places_kept_; }

 private:
  struct Name {
    uint32_t slot;
    uint32_t generation;
    bool is_begun;
  };

  HandshakeJob job_of(const Name& name, std::unique_ptr<TlsHandshake> handshake) const {
    return {.handshake = std::move(handshake),
            .loop = loop_,
            .slot = name.slot,
            .generation = name.generation};
  }

  std::deque<Name>& asking_queue(const Name& name) {
    return name.is_begun ? begun_asking_ : new_asking_;
  }

  Name take_kept() {
    const Name name = kept_.front();
    kept_.pop_front();
    ++kept_done_;
    if (!name.is_begun) --places_kept_;
    return name;
  }
  // One more may begin.
  bool has_place() const { return begun_ + places_kept_ < begun_max_; }

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
  std::deque<Name> kept_;
  size_t kept_max_ = 0;
  size_t places_kept_ = 0;  // of newcomers among kept_
  size_t kept_at_tick_ = 0;
  size_t kept_done_ = 0;  // since then
  uint32_t begun_ = 0;
  uint32_t begun_max_ = 1;
};

}  // namespace holdfast
