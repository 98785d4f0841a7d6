#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/conn_flood/options.h"

namespace holdfast::flood {

// What a client does once it is welcomed.
enum class Behaviour : uint8_t {
  kSteady,      // heartbeats and stays
  kMute,        // falls silent, keeps the socket open
  kHalfFrame,   // falls silent within a frame
  kSlowReader,  // stops reading, goes on sending
  kChurn,       // leaves and comes back
};
inline constexpr size_t kBehaviourCount = 5;

std::string_view to_text(Behaviour behaviour);

// Which client (0 to connections - 1) behaves how, connects when and is called what. A function of
// the options alone, so that every process and thread agrees without being told. A share of clients
// is an exact count, not a chance: what they should come to can be counted too.
// Thread: any (immutable).
class Plan final {
 public:
  explicit Plan(const Options& options);

  uint32_t connections() const { return connections_; }
  uint32_t count(Behaviour behaviour) const { return counts_[static_cast<size_t>(behaviour)]; }
  Behaviour behaviour(uint32_t client) const;
  // Microseconds after the start at which a client is to connect; 0 for all without a rate.
  uint64_t connect_at_us(uint32_t client) const;
  // The prefix and the client's number, 16 characters unless the prefix has more than eight.
  std::string device_id(uint32_t client) const;
  // Sources are taken in turn, and targets in turn each time the sources have been round, so that
  // every pair gets its share.
  size_t source_index(uint32_t client, size_t sources) const { return client % sources; }
  size_t target_index(uint32_t client, size_t sources, size_t targets) const {
    return client / (sources == 0 ? 1 : sources) % targets;
  }

 private:
  uint32_t connections_;
  double rate_per_s_;
  std::string id_prefix_;
  size_t id_digits_;
  std::array<uint32_t, kBehaviourCount> counts_{};
  // client -> (client * multiplier + offset) mod connections is a permutation that spreads
  // neighbours.
  uint64_t multiplier_;
  uint64_t offset_;
};

}  // namespace holdfast::flood
