#pragma once

#include <cstdint>

namespace holdfast::flood {

// Random numbers that a seed repeats on every machine (splitmix64: Steele, Lea, Flood, "Fast
// splittable pseudorandom number generators", OOPSLA 2014). Not for secrets.
class Random final {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t mixed = (state_ += 0x9E3779B97F4A7C15);
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    return mixed ^ (mixed >> 31);
  }

  // 0 to bound - 1; 0 when bound is 0. Multiplied rather than divided (Lemire); its bias is below
  // bound / 2^32.
  uint32_t below(uint32_t bound) {
    return static_cast<uint32_t>(((next() >> 32) * uint64_t{bound}) >> 32);
  }

 private:
  uint64_t state_;
};

}  // namespace holdfast::flood
