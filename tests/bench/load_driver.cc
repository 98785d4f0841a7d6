#include "tests/bench/load_driver.h"

#include <algorithm>

namespace holdfast::bench {

LoadDriver::LoadDriver(PingClient& client, double rate_per_s)
    : client_(client), interval_ns_(rate_per_s > 0 ? 1e9 / rate_per_s : 0) {}

void LoadDriver::start(Nanoseconds now) {
  begin_ = now;
  if (interval_ns_ > 0) return;
  client_.set_echoing(true);
  for (uint32_t i = 0; i < client_.size(); ++i) client_.send_next(now);
}

void LoadDriver::run_until(Nanoseconds end) {
  for (Nanoseconds now = monotonic_ns(); now < end; now = monotonic_ns()) {
    for (int i = 0; i < kBunchMax && interval_ns_ > 0 && planned() <= now; ++i) {
      client_.send_next(planned());
      ++sent_;
    }
    client_.poll_until(interval_ns_ > 0 ? std::min(planned(), end) : end);
  }
}

void LoadDriver::finish(Nanoseconds give_up) {
  client_.set_echoing(false);
  while (client_.tally().answered < client_.tally().sent && monotonic_ns() < give_up) {
    client_.poll_until(give_up);
  }
}

// Counted from the beginning, so that no rounding adds up.
Nanoseconds LoadDriver::planned() const {
  return begin_ + static_cast<Nanoseconds>(static_cast<double>(sent_) * interval_ns_);
}

}  // namespace holdfast::bench
