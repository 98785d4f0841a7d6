#pragma once

#include <atomic>
#include <cstdint>

namespace holdfast {

// A number that one thread writes and any thread may read, at the cost of a plain add: no locked
// instruction, since nobody else writes.
class Counter final {
 public:
  void add(uint64_t amount = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void set(uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

}  // namespace holdfast
