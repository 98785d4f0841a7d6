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
  static constexpr size_t kPageBytes = 4096;

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
    Occupancy& occupancy = occupancies_[chunk_index];
    const uint32_t offset = occupancy.lowest_free();
    occupancy.used_bits[offset / 64] |= uint64_t{1} << (offset % 64);
    if (++occupancy.used == kChunkSlots) mark_room(chunk_index, false);
    const uint32_t index = chunk_index * kChunkSlots + offset;
    hot(index) = Hot{};
    cold(index) = Cold{};
    if (++generation_ == 0) ++generation_;
    hot(index).generation = generation_;
    ++size_;
    return index;
  }

  void release(uint32_t index) {
    HF_CHECK(is_used(index));
    hot(index) = Hot{};
    cold(index) = Cold{};
    const uint32_t chunk_index = index / kChunkSlots;
    const uint32_t offset = index % kChunkSlots;
    Occupancy& occupancy = occupancies_[chunk_index];
    occupancy.used_bits[offset / 64] &= ~(uint64_t{1} << (offset % 64));
    --occupancy.used;
    --size_;
    mark_room(chunk_index, true);
    if (occupancy.used > 0) return;
    if (spare_chunk_ == nullptr) {
      spare_chunk_ = std::move(chunks_[chunk_index]);
    } else {
      chunks_[chunk_index].reset();
      --chunks_in_memory_;
    }
  }

  // The record can be looked at, whether it is in use or not.
  bool is_in_memory(uint32_t index) const {
    const uint32_t chunk_index = index / kChunkSlots;
    return chunk_index < chunks_.size() && chunks_[chunk_index] != nullptr;
  }
  bool is_used(uint32_t index) const { return is_in_memory(index) && hot(index).generation != 0; }

  // The slot holds the occupant that this generation, which is not 0, was given to.
  bool is_current(uint32_t index, uint32_t generation) const {
    return is_in_memory(index) && hot(index).generation == generation && generation != 0;
  }

  Hot& hot(uint32_t index) { return chunks_[index / kChunkSlots]->hot[index % kChunkSlots]; }
  const Hot& hot(uint32_t index) const {
    return chunks_[index / kChunkSlots]->hot[index % kChunkSlots];
  }
  // Asks for the record's cache line without waiting for it. Any index.
  [[gnu::always_inline]] void prefetch_hot(uint32_t index) const {
    if (is_in_memory(index)) __builtin_prefetch(&hot(index), 1);
  }

  Cold& cold(uint32_t index) { return chunks_[index / kChunkSlots]->cold[index % kChunkSlots]; }
  const Cold& cold(uint32_t index) const {
    return chunks_[index / kChunkSlots]->cold[index % kChunkSlots];
  }

 private:
  // Nothing but records, on pages of their own: which of them are in use stands apart, and an
  // allocator that shifts large blocks by part of a page would make each touch one page more.
  struct alignas(kPageBytes) Chunk {
    std::array<Hot, kChunkSlots> hot;
    std::array<Cold, kChunkSlots> cold;
  };
  struct Occupancy {
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

 public:
  // What a chunk costs besides its records.
  static constexpr size_t kBytesBesideChunk = sizeof(Occupancy) + sizeof(std::unique_ptr<Chunk>);

 private:
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
      occupancies_.emplace_back();
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
  std::vector<Occupancy> occupancies_;
  std::unique_ptr<Chunk> spare_chunk_;
  std::vector<uint64_t> room_bits_;
  uint32_t generation_ = 0;
  uint32_t size_ = 0;
  size_t chunks_in_memory_ = 0;
};

}  // namespace holdfast
