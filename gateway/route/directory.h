#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/session/session_ref.h"

namespace holdfast {

// Which session each device of this node has: at most one. A device is known by 88 bits of a keyed
// hash of its id (SipHash-2-4-128 under a secret of the process): 8 name its shard, 80 stand in its
// entry. Two of a million devices are taken for one with a chance below 10^-14, and nobody can seek
// such a pair without the secret. So an entry is 18 bytes whatever the id's length, and no other
// thread reads a session's own memory.
// Thread: any. A lookup locks one of kShards shards for some tens of nanoseconds.
// Owns: the entries. Shards grow and shrink on their own.
class Directory final {
 public:
  Directory();

  // Makes `session` the device's one and returns the one it replaces, which its loop must close.
  [[nodiscard]] std::optional<SessionRef> claim(std::string_view device_id, SessionRef session);
  // Forgets the device unless a newer session has claimed it meanwhile.
  void release(std::string_view device_id, SessionRef session);
  std::optional<SessionRef> find(std::string_view device_id) const;

  uint64_t size() const { return size_.load(std::memory_order_relaxed); }

 private:
  static constexpr size_t kShards = 256;
  struct Key {
    std::array<uint16_t, 5> bits{};
    bool operator==(const Key&) const = default;
  };
  struct Place {
    uint8_t shard = 0;
    Key key;
  };

  // The session's reference in halves, so that an entry needs no padding.
  struct Entry {
    Key key;
    std::array<uint16_t, 4> session{};  // all zero: empty

    bool is_set() const { return (session[2] | session[3]) != 0; }
    SessionRef ref() const { return std::bit_cast<SessionRef>(session); }
    void set(SessionRef ref) { session = std::bit_cast<std::array<uint16_t, 4>>(ref); }
  };
  static_assert(sizeof(Entry) == 18);

  // Fuller than this a shard grows, emptier than that it shrinks.
  static constexpr size_t kFullPercent = 88;
  static constexpr size_t kEmptyPercent = 30;

 public:
  // A device's share just after its shard has grown, which is its most while the number of devices
  // grows: all but the smallest shards grow by a quarter at most.
  static constexpr size_t kBytesPerDevice = sizeof(Entry) * 100 * 5 / (kFullPercent * 4) + 1;

 private:
  // Open addressing with linear probing; a removal shifts its followers back, so no tombstones.
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Entry> entries;
    size_t used = 0;
  };

  Place place_of(std::string_view device_id) const;
  static size_t larger_capacity(size_t capacity);
  static size_t home_of(const Shard& shard, const Key& key);
  static size_t index_of(const Shard& shard, const Key& key);
  static void erase_at(Shard& shard, size_t at);
  static void resize(Shard& shard, size_t capacity);

  std::array<uint8_t, 16> secret_{};
  std::unique_ptr<Shard[]> shards_;
  std::atomic<uint64_t> size_{0};
};

}  // namespace holdfast
