#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>

#include "common/check.h"

namespace holdfast {

// A bounded queue between exactly two threads, without locks.
// Thread: one thread pushes, one thread pops; which ones is the owner's affair.
// Limit: `capacity` items, a power of two; try_push refuses beyond it and leaves the item
// untouched.
template <class T>
class SpscRing final {
 public:
  explicit SpscRing(size_t capacity) : mask_(capacity - 1), items_(new T[capacity]) {
    HF_CHECK(capacity >= 2 && (capacity & mask_) == 0);
  }
  SpscRing(const SpscRing&) = delete;
  SpscRing& operator=(const SpscRing&) = delete;

  size_t capacity() const { return mask_ + 1; }

  // Pushing thread.
  [[nodiscard]] bool try_push(T&& item) {
    const size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - cached_head_ > mask_) {
      cached_head_ = head_.load(std::memory_order_acquire);
      if (tail - cached_head_ > mask_) return false;
    }
    items_[tail & mask_] = std::move(item);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  // Pushing thread: room for at least this many more. More may have come free since.
  size_t free_slots() {
    cached_head_ = head_.load(std::memory_order_acquire);
    return mask_ + 1 - (tail_.load(std::memory_order_relaxed) - cached_head_);
  }

  // Popping thread.
  [[nodiscard]] bool try_pop(T& item) {
    const size_t head = head_.load(std::memory_order_relaxed);
    if (head == cached_tail_) {
      cached_tail_ = tail_.load(std::memory_order_acquire);
      if (head == cached_tail_) return false;
    }
    item = std::move(items_[head & mask_]);
    head_.store(head + 1, std::memory_order_release);
    return true;
  }

 private:
  // The two sides stand on cache lines of their own, each with its last sight of the other.
  static constexpr size_t kCacheLineBytes = 64;
  const size_t mask_;
  const std::unique_ptr<T[]> items_;
  alignas(kCacheLineBytes) std::atomic<size_t> head_{0};
  size_t cached_tail_ = 0;
  alignas(kCacheLineBytes) std::atomic<size_t> tail_{0};
  size_t cached_head_ = 0;
};

}  // namespace holdfast
