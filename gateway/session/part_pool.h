#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "common/check.h"
#include "common/lru_list.h"

namespace holdfast {

// What some of one loop's connections own and others do not, found by 4 bytes in the connection's
// record instead of a pointer's 8.
// Thread: the owning loop only.
// Owns: what was taken and not given back. With none taken it owns no memory; a peak's 12 bytes
// each are kept until then.
template <class Part>
class PartPool final {
 public:
  static constexpr uint32_t kNone = kNoIndex;
  static constexpr size_t kBytesBesidePart = sizeof(std::unique_ptr<Part>) + sizeof(uint32_t);

  [[nodiscard]] uint32_t take() {
    uint32_t index = static_cast<uint32_t>(places_.size());
    if (free_.empty()) {
      places_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    places_[index] = std::make_unique<Part>();
    return index;
  }

  void give_back(uint32_t index) {
    HF_CHECK(index < places_.size() && places_[index] != nullptr);
    places_[index].reset();
    free_.push_back(index);
    if (free_.size() < places_.size()) return;
    places_.clear();
    places_.shrink_to_fit();
    free_.clear();
    free_.shrink_to_fit();
  }

  Part& at(uint32_t index) { return *places_[index]; }
  const Part& at(uint32_t index) const { return *places_[index]; }
  size_t size() const { return places_.size() - free_.size(); }

 private:
  std::deque<std::unique_ptr<Part>> places_;  // a deque grows without moving what it has
  std::vector<uint32_t> free_;
};

}  // namespace holdfast
