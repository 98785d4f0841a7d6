#pragma once

#include <cstddef>
#include <span>

namespace holdfast::test {

// A copy of some bytes that ends where an unmapped page begins: whoever reads one byte past it dies
// at once, in every build.
class GuardedBytes final {
 public:
  explicit GuardedBytes(std::span<const std::byte> bytes);
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  ~GuardedBytes();

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::span<const std::byte> bytes_;
};

}  // namespace holdfast::test
