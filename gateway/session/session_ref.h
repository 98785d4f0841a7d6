#pragma once

#include <cstdint>

#include "gateway/net/accepted_socket.h"

namespace holdfast {

// Names one session of this process for good: a slot's next occupant has another generation. 8
// bytes, passed between threads; only the owning loop may look behind it.
class SessionRef final {
 public:
  static constexpr uint32_t kSlotBits = 24;
  static constexpr uint32_t kSlotsMax = 1u << kSlotBits;

  SessionRef() = default;  // names nothing
  SessionRef(LoopIndex loop, uint32_t slot, uint32_t generation)
      : place_(uint32_t{loop} << kSlotBits | slot), generation_(generation) {}

  LoopIndex loop() const { return static_cast<LoopIndex>(place_ >> kSlotBits); }
  uint32_t slot() const { return place_ & (kSlotsMax - 1); }
  uint32_t generation() const { return generation_; }
  bool is_set() const { return generation_ != 0; }
  // The name as one number, different for every session of this process.
  uint64_t packed() const { return uint64_t{generation_} << 32 | place_; }

  bool operator==(const SessionRef&) const = default;

 private:
  uint32_t place_ = 0;
  uint32_t generation_ = 0;
};

static_assert(sizeof(SessionRef) == 8);
static_assert(kLoopsMax <= 256);

}  // namespace holdfast
