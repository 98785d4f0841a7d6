#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "common/check.h"

namespace holdfast {

// Bytes that come in at the back and leave at the front: an incomplete frame, or output for a full
// socket. Grows by doubling from 64 bytes and gives everything back when it runs empty, so that an
// idle connection owns none.
// Limit: none of its own; the caller checks size() before it appends.
class ByteBuffer final {
 public:
  ByteBuffer() = default;
  ByteBuffer(const ByteBuffer&) = delete;
  ByteBuffer& operator=(const ByteBuffer&) = delete;

  size_t size() const { return end_ - begin_; }
  bool is_empty() const { return begin_ == end_; }
  size_t capacity() const { return capacity_; }
  std::span<const std::byte> bytes() const { return {data_.get() + begin_, size()}; }
  std::span<std::byte> mutable_bytes() { return {data_.get() + begin_, size()}; }

  void append(std::span<const std::byte> added) {
    if (added.empty()) return;
    make_room(added.size());
    std::memcpy(data_.get() + end_, added.data(), added.size());
    end_ += added.size();
  }

  void consume(size_t count) {
    HF_CHECK(count <= size());
    begin_ += count;
    if (begin_ == end_) reset();
  }

  // Gives back what a burst left behind: afterwards capacity() is at most twice size(), or 64.
  void shrink() {
    if (capacity_ <= std::max(kFirstCapacity, 2 * size())) return;
    const size_t kept = size();
    const size_t fitting = std::max(kFirstCapacity, kept);
    std::unique_ptr<std::byte[]> moved(new std::byte[fitting]);
    std::memcpy(moved.get(), data_.get() + begin_, kept);
    data_ = std::move(moved);
    capacity_ = fitting;
    begin_ = 0;
    end_ = kept;
  }

  void reset() {
    data_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  static constexpr size_t kFirstCapacity = 64;

  void make_room(size_t count) {
    if (capacity_ - end_ >= count) return;
    const size_t kept = size();
    // Moving down is worth it only while it frees at least as much as it copies.
    if (capacity_ - kept >= count && begin_ >= kept) {
      std::memmove(data_.get(), data_.get() + begin_, kept);
    } else {
      const size_t grown = std::max({kFirstCapacity, capacity_ * 2, kept + count});
      std::unique_ptr<std::byte[]> moved(new std::byte[grown]);
      if (kept > 0) std::memcpy(moved.get(), data_.get() + begin_, kept);
      data_ = std::move(moved);
      capacity_ = grown;
    }
    begin_ = 0;
    end_ = kept;
  }

  std::unique_ptr<std::byte[]> data_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace holdfast
