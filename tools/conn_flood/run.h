#pragma once

#include <atomic>
#include <cstdint>
#include <span>

#include "common/clock.h"
#include "common/status.h"
#include "tools/conn_flood/options.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/tally.h"

namespace holdfast::flood {

enum class Phase : uint8_t {
  kRamp,  // clients connect
  kHold,  // all that could are connected; misbehaviour begins
  kEnd,   // clients say goodbye once their last PING is answered
  kStop,  // a signal came: they say goodbye now
};

// What all processes of a run share: the clock's zero, the phase, a tally for each worker.
// Thread: `phase` is written by the coordinator and read by all; a tally is its worker's.
// Owns: an anonymous shared mapping. Made before any process is forked; a child's copy is the same
// memory.
class SharedRun final {
 public:
  static Result<SharedRun> create(uint32_t workers);
  SharedRun(SharedRun&& other) noexcept;
  SharedRun& operator=(SharedRun&&) = delete;
  SharedRun(const SharedRun&) = delete;
  SharedRun& operator=(const SharedRun&) = delete;
  ~SharedRun();

  // The run's clock starts now. Before workers start.
  void start_clock() { header_->start_us = monotonic_us(); }
  uint64_t elapsed_us() const { return monotonic_us() - header_->start_us; }

  Phase phase() const { return header_->phase.load(std::memory_order_relaxed); }
  void set_phase(Phase phase) { header_->phase.store(phase, std::memory_order_relaxed); }

  uint32_t worker_count() const { return workers_; }
  Tally& tally(uint32_t worker) { return tallies_[worker]; }
  std::span<const Tally> tallies() const { return {tallies_, workers_}; }

 private:
  struct alignas(64) Header {
    uint64_t start_us = 0;
    std::atomic<Phase> phase{Phase::kRamp};
  };
  static_assert(std::atomic<Phase>::is_always_lock_free, "shared between processes");

  SharedRun(void* memory, size_t bytes, uint32_t workers);

  void* memory_;
  size_t bytes_;
  uint32_t workers_;
  Header* header_;
  Tally* tallies_;
};

}  // namespace holdfast::flood
