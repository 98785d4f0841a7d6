#include "gateway/route/directory.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "common/check.h"

namespace holdfast {
namespace {

constexpr size_t kFirstCapacity = 16;

static_assert(crypto_shorthash_siphashx24_BYTES == 16);
static_assert(crypto_shorthash_siphashx24_KEYBYTES == 16);

}  // namespace

Directory::Directory() : shards_(new Shard[kShards]) {
  HF_CHECK(sodium_init() >= 0);
  randombytes_buf(secret_.data(), secret_.size());
}

Directory::Place Directory::place_of(std::string_view device_id) const {
  std::array<unsigned char, 16> hash{};
  crypto_shorthash_siphashx24(hash.data(), reinterpret_cast<const unsigned char*>(device_id.data()),
                              device_id.size(), secret_.data());
  Place place;
  place.shard = hash.back();
  std::memcpy(place.key.bits.data(), hash.data(), sizeof place.key.bits);
  return place;
}

// The next of the allocator's size classes, which are four to a doubling: it has no waste to add.
size_t Directory::larger_capacity(size_t capacity) {
  if (capacity == 0) return kFirstCapacity;
  const auto step_of = [](size_t bytes) { return std::bit_floor(bytes) / 4; };
  const size_t bytes = capacity * sizeof(Entry);
  const size_t step = step_of(bytes);
  const size_t size_class = (bytes + step - 1) / step * step;
  return (size_class + step_of(size_class)) / sizeof(Entry);
}

size_t Directory::home_of(const Shard& shard, const Key& key) {
  uint32_t high = 0;
  std::memcpy(&high, key.bits.data(), sizeof high);
  // Multiply and take the high half: an even spread over any capacity, not only powers of two.
  return uint64_t{high} * shard.entries.size() >> 32;
}

// Where the key stands, or the empty place where it would.
size_t Directory::index_of(const Shard& shard, const Key& key) {
  size_t at = home_of(shard, key);
  while (shard.entries[at].is_set() && shard.entries[at].key != key) {
    if (++at == shard.entries.size()) at = 0;
  }
  return at;
}

std::optional<SessionRef> Directory::claim(std::string_view device_id, SessionRef session) {
  HF_CHECK(session.is_set());
  const auto [shard_index, key] = place_of(device_id);
  Shard& shard = shards_[shard_index];
  const std::lock_guard lock(shard.mutex);
  const size_t capacity = shard.entries.size();
  if ((shard.used + 1) * 100 > capacity * kFullPercent) {
    resize(shard, larger_capacity(capacity));
  }
  Entry& entry = shard.entries[index_of(shard, key)];
  std::optional<SessionRef> older;
  if (entry.is_set()) older = entry.ref();
  entry.key = key;
  entry.set(session);
  if (older) return older;
  ++shard.used;
  size_.fetch_add(1, std::memory_order_relaxed);
  return std::nullopt;
}

void Directory::release(std::string_view device_id, SessionRef session) {
  const auto [shard_index, key] = place_of(device_id);
  Shard& shard = shards_[shard_index];
  const std::lock_guard lock(shard.mutex);
  if (shard.entries.empty()) return;
  const size_t at = index_of(shard, key);
  if (shard.entries[at].ref() != session) return;
  erase_at(shard, at);
  --shard.used;
  size_.fetch_sub(1, std::memory_order_relaxed);
  const size_t capacity = shard.entries.size();
  if (capacity > kFirstCapacity && shard.used * 100 < capacity * kEmptyPercent) {
    resize(shard, std::max(kFirstCapacity, capacity / 2));
  }
}

std::optional<SessionRef> Directory::find(std::string_view device_id) const {
  const auto [shard_index, key] = place_of(device_id);
  const Shard& shard = shards_[shard_index];
  const std::lock_guard lock(shard.mutex);
  if (shard.entries.empty()) return std::nullopt;
  const Entry& entry = shard.entries[index_of(shard, key)];
  if (!entry.is_set()) return std::nullopt;
  return entry.ref();
}

void Directory::erase_at(Shard& shard, size_t at) {
  const size_t capacity = shard.entries.size();
  size_t hole = at;
  size_t next = at;
  for (;;) {
    next = next + 1 == capacity ? 0 : next + 1;
    const Entry& entry = shard.entries[next];
    if (!entry.is_set()) break;
    // An entry may fill the hole if that brings it no further than its home.
    const size_t home = home_of(shard, entry.key);
    const size_t from_home_to_hole = (hole + capacity - home) % capacity;
    const size_t from_home_to_next = (next + capacity - home) % capacity;
    if (from_home_to_hole > from_home_to_next) continue;
    shard.entries[hole] = entry;
    hole = next;
  }
  shard.entries[hole] = Entry{};
}

void Directory::resize(Shard& shard, size_t capacity) {
  std::vector<Entry> old(capacity);
  old.swap(shard.entries);
  for (const Entry& entry : old) {
    if (entry.is_set()) shard.entries[index_of(shard, entry.key)] = entry;
  }
}

}  // namespace holdfast
