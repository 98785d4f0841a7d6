#pragma once

#include <cstdint>

#include "tests/bench/ping_client.h"

namespace holdfast::bench {

// Sends PINGs at planned times and takes what comes; at rate 0 every connection sends its next as
// soon as it has the answer to the last.
// Thread: one.
class LoadDriver final {
 public:
  LoadDriver(PingClient& client, double rate_per_s);

  void start(Nanoseconds now);
  void run_until(Nanoseconds end);
  // Sends nothing more, and takes the answers that are still on their way.
  void finish(Nanoseconds give_up);

 private:
  // PINGs that are late are sent in bunches of this many, with a look at the answers in between.
  static constexpr int kBunchMax = 64;

  Nanoseconds planned() const;

  PingClient& client_;
  const double interval_ns_;
  Nanoseconds begin_ = 0;
  uint64_t sent_ = 0;
};

}  // namespace holdfast::bench
