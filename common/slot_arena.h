#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "common/check.h"

namespace holdfast {

// Records of connections in chunks, found by a small index that does not move while the record
// lives. A record has two parts: what every event touches (Hot) and what is looked at seldom
// (Cold).
//
// `Hot` has a member `uint32_t generation`, 0 while the slot is free. The arena draws it from one
// counter for all slots, so an index with its generation names one occupant for good: the counter
// would have to wrap (four thousand million connections) and meet the same slot again.
//
// The lowest free slot is handed out first, and an empty chunk beyond one in reserve is given back,
// so memory follows the number of connections down as well as up. The reserve serves whichever
// chunk is wanted next: one connection that comes and goes never makes and frees a chunk each time.
// Thread: the owning loop only.
// Owns: the records. release() destroys them.
// Limit: `slots_max` records.
template <class Hot, class Cold>
class SlotArena final {
 public:
  static constexpr uint32_t kChunkSlots = 1024;
  static constexpr uint32_t kNone = 0xFFFFFFFF;

  explicit SlotArena(uint32_t slots_max) : slots_max_(slots_max) {}
  SlotArena(const SlotArena&) = delete;
  SlotArena& operator=(const SlotArena&) = delete;

  uint32_t size() const { return size_; }
  size_t allocated_bytes() const { return chunks_in_memory_ * sizeof(Chunk); }
  // One past the highest index that may be in use: for walking all records.
  uint32_t end_index() const { return static_cast<uint32_t>(chunks_.size()) * kChunkSlots; }

  // A fresh record, or kNone at the limit.
  [[nodiscard]] uint32_t allocate() {
    if (size_ >= slots_max_) return kNone;
    const uint32_t chunk_index = chunk_with_room();
    Chunk& chunk = *chunks_[chunk_index];
    const uint32_t offset = chunk.lowest_free();
    chunk.used_bits[offset / 64] |= uint64_t{1} << (offset % 64);
    if (++chunk.used == kChunkSlots) mark_room(chunk_index, false);
    chunk.hot[offset] = Hot{};
    chunk.cold[offset] = Cold{};
    if (++generation_ == 0) ++generation_;
    chunk.hot[offset].generation = generation_;
    ++size_;
    return chunk_index * kChunkSlots + offset;
  }

  void release(uint32_t index) {
    const uint32_t chunk_index = index / kChunkSlots;
    const uint32_t offset = index % kChunkSlots;
    HF_CHECK(is_used(index));
    Chunk& chunk = *chunks_[chunk_index];
    chunk.hot[offset] = Hot{};
    chunk.cold[offset] = Cold{};
    chunk.used_bits[offset / 64] &= ~(uint64_t{1} << (offset % 64));
    --chunk.used;
    --size_;
    mark_room(chunk_index, true);
    if (chunk.used > 0) return;
    if (spare_chunk_ == nullptr) {
      spare_chunk_ = std::move(chunks_[chunk_index]);
    } else {
      chunks_[chunk_index].reset();
      --chunks_in_memory_;
    }
  }

  bool is_used(uint32_t index) const {
    const uint32_t chunk_index = index / kChunkSlots;
    if (chunk_index >= chunks_.size() || chunks_[chunk_index] == nullptr) return false;
    const uint32_t offset = index % kChunkSlots;
    return (chunks_[chunk_index]->used_bits[offset / 64] >> (offset % 64) & 1) != 0;
  }

  // The slot's records may be read; they are a free slot's unless is_used(). Cheaper than that, for
  // looking ahead.
  bool is_in_memory(uint32_t index) const {
    const uint32_t chunk_index = index / kChunkSlots;
    return chunk_index < chunks_.size() && chunks_[chunk_index] != nullptr;
  }

  // The slot holds the occupant that this generation was given to.
  bool is_current(uint32_t index, uint32_t generation) const {
    return is_used(index) && hot(index).generation == generation;
  }

  Hot& hot(uint32_t index) { return chunks_[index / kChunkSlots]->hot[index % kChunkSlots]; }
  const Hot& hot(uint32_t index) const {
    return chunks_[index / kChunkSlots]->hot[index % kChunkSlots];
  }
  Cold& cold(uint32_t index) { return chunks_[index / kChunkSlots]->cold[index % kChunkSlots]; }
  const Cold& cold(uint32_t index) const {
    return chunks_[index / kChunkSlots]->cold[index % kChunkSlots];
  }

 private:
  struct Chunk {
    std::array<Hot, kChunkSlots> hot;
    std::array<Cold, kChunkSlots> cold;
    std::array<uint64_t, kChunkSlots / 64> used_bits{};
    uint32_t used = 0;

    uint32_t lowest_free() const {
      for (uint32_t word = 0;; ++word) {
        if (~used_bits[word] != 0) {
          return word * 64 + static_cast<uint32_t>(std::countr_one(used_bits[word]));
        }
      }
    }
  };

  // The lowest chunk with a free slot, made if there is none. One bit a chunk: a million slots are
  // searched in sixteen words.
  uint32_t chunk_with_room() {
    uint32_t word = 0;
    while (word < room_bits_.size() && room_bits_[word] == 0) ++word;
    uint32_t chunk_index = static_cast<uint32_t>(chunks_.size());
    if (word < room_bits_.size()) {
      chunk_index = word * 64 + static_cast<uint32_t>(std::countr_zero(room_bits_[word]));
    } else {
      chunks_.emplace_back();
      if (chunks_.size() > room_bits_.size() * 64) room_bits_.push_back(0);
      mark_room(chunk_index, true);
    }
    if (chunks_[chunk_index] == nullptr) {
      if (spare_chunk_ == nullptr) {
        spare_chunk_ = std::make_unique<Chunk>();
        ++chunks_in_memory_;
      }
      chunks_[chunk_index] = std::move(spare_chunk_);
    }
    return chunk_index;
  }

  void mark_room(uint32_t chunk_index, bool has_room) {
    const uint64_t bit = uint64_t{1} << (chunk_index % 64);
    if (has_room) {
      room_bits_[chunk_index / 64] |= bit;
    } else {
      room_bits_[chunk_index / 64] &= ~bit;
    }
  }

  const uint32_t slots_max_;
  std::vector<std::unique_ptr<Chunk>> chunks_;  // null where no slot is in use
  std::unique_ptr<Chunk> spare_chunk_;
  std::vector<uint64_t> room_bits_;
  uint32_t generation_ = 0;
  uint32_t size_ = 0;
  size_t chunks_in_memory_ = 0;
};

}  // namespace holdfast
