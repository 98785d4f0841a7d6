#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "common/protocol/native.h"

namespace holdfast {

// The frames that a connection's turn produces, gathered so that they leave in one send.
// Thread: the owning loop only; one for all its connections, since one turn ends before the next.
// Limit: kBytesMax; add() refuses beyond it, and the caller sends what is there first.
class TurnOutput final {
 public:
  static constexpr size_t kBytesMax = 32768;

  template <class OneFrame>
  [[nodiscard]] bool add(const OneFrame& frame) {
    const size_t written = native::encode(frame, std::span(bytes_).subspan(size_));
    size_ += written;
    return written > 0;
  }
  std::span<const std::byte> bytes() const { return {bytes_.data(), size_}; }
  bool is_empty() const { return size_ == 0; }
  void clear() { size_ = 0; }

 private:
  std::array<std::byte, kBytesMax> bytes_;
  size_t size_ = 0;
};

}  // namespace holdfast
