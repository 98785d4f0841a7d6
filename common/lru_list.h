#pragma once

#include <cstdint>

#include "common/check.h"

namespace holdfast {

inline constexpr uint32_t kNoIndex = 0xFFFFFFFF;

// The list's part of a record: 8 bytes.
struct LruLinks {
  uint32_t previous = kNoIndex;
  uint32_t next = kNoIndex;
};

// Records in the order of their last touch, idlest first. The links live in the records, so that no
// operation allocates and each costs a constant number of memory accesses.
//
// `Store` gives `LruLinks& lru_links(uint32_t index)`; indices are those of the record arena.
// Thread: the owning loop only.
// Owns: nothing but two indices. A record must be removed before it is freed.
template <class Store>
class LruList final {
 public:
  explicit LruList(Store& store) : store_(store) {}
  LruList(const LruList&) = delete;
  LruList& operator=(const LruList&) = delete;

  uint32_t idlest() const { return head_; }
  uint32_t newest() const { return tail_; }
  // The record touched next after `index`, or kNoIndex.
  uint32_t after(uint32_t index) const { return store_.lru_links(index).next; }
  uint32_t size() const { return size_; }
  bool is_empty() const { return size_ == 0; }

  void push_newest(uint32_t index) {
    LruLinks& links = store_.lru_links(index);
    links.previous = tail_;
    links.next = kNoIndex;
    if (tail_ == kNoIndex) {
      head_ = index;
    } else {
      store_.lru_links(tail_).next = index;
    }
    tail_ = index;
    ++size_;
  }

  void remove(uint32_t index) {
    HF_CHECK(size_ > 0);
    LruLinks& links = store_.lru_links(index);
    if (links.previous == kNoIndex) {
      HF_CHECK(head_ == index);
      head_ = links.next;
    } else {
      store_.lru_links(links.previous).next = links.next;
    }
    if (links.next == kNoIndex) {
      HF_CHECK(tail_ == index);
      tail_ = links.previous;
    } else {
      store_.lru_links(links.next).previous = links.previous;
    }
    links = LruLinks{};
    --size_;
  }

  void touch(uint32_t index) {
    if (index == tail_) return;
    remove(index);
    push_newest(index);
  }

 private:
  Store& store_;
  uint32_t head_ = kNoIndex;
  uint32_t tail_ = kNoIndex;
  uint32_t size_ = 0;
};

}  // namespace holdfast
