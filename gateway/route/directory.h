#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

#include "gateway/session/session_ref.h"

namespace holdfast {

// Which session each device of this node has: at most one. Keys are 128-bit keyed hashes of device
// ids (SipHash-2-4-128 under a secret of the process): two devices meet in one key with a chance
// below 10^-26 at a million, and nobody can seek such a pair without the secret. So an entry is 24
// bytes whatever the id's length, and no other thread reads a session's own memory.
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
  // A device's share at the usual filling of three quarters.
  static constexpr size_t kBytesPerDevice = 32;

 private:
  static constexpr size_t kShards = 256;
  using Key = std::array<uint64_t, 2>;

  struct Entry {
    Key key{};
    SessionRef session;  // not set: empty
  };
  static_assert(sizeof(Entry) == 24);

  // Open addressing with linear probing; a removal shifts its followers back, so no tombstones.
  struct alignas(64) Shard {
    mutable std::mutex mutex;
    std::vector<Entry> entries;
    size_t used = 0;
  };

  Key key_of(std::string_view device_id) const;
  const Shard& shard_of(const Key& key) const { return shards_[key[1] % kShards]; }
  Shard& shard_of(const Key& key) { return shards_[key[1] % kShards]; }
  static size_t home_of(const Shard& shard, const Key& key);
  static size_t place_of(const Shard& shard, const Key& key);
  static void erase_at(Shard& shard, size_t at);
  static void resize(Shard& shard, size_t capacity);

  std::array<uint8_t, 16> secret_{};
  std::unique_ptr<Shard[]> shards_;
  std::atomic<uint64_t> size_{0};
};

}  // namespace holdfast
