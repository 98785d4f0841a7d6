#include <benchmark/benchmark.h>
#include <event2/event.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "common/check.h"
#include "common/clock.h"
#include "gateway/net/connection_poller.h"
#include "gateway/session/liveness.h"
#include "gateway/session/session_table.h"

// What it costs to know who is still alive: the bookkeeping of heartbeats, without the system calls
// and the codec that bring them.
//
// One iteration is one tick (16 ms) of simulated time in the life of N sessions: the heartbeats
// that fall into it, in batches as epoll_wait gives them, then the look at the deadlines. Every
// session beats once in 30 s. `per_heartbeat` is everything that was done, divided by the
// heartbeats: this is what to compare. A repetition is whole intervals of 30 s, after one that is
// not measured, so that each session is met equally often and the structures are as mixed as in
// use.
//
// Nobody dies and nobody is late: it is the price of watching those who live. The rivals know
// deadlines only; ours knows who is idlest besides.
namespace holdfast::bench {
namespace {

constexpr uint32_t kTickMs = SessionTable::kTickMs;
constexpr uint32_t kTicksPerInterval = 30'000 / kTickMs;
constexpr uint32_t kIntervalMs = kTicksPerInterval * kTickMs;
constexpr uint32_t kJitterMs = 500;
// In a shuffled schedule up to two intervals lie between two heartbeats of a session: granted this
// long, it is never asked for one.
constexpr uint16_t kHeartbeatS = 60;
constexpr uint8_t kMisses = 3;
constexpr uint16_t kTimeoutS = kMisses * kHeartbeatS;

// Either way slots are met in an order that has nothing to do with their place in memory.
enum class Arrivals : int64_t {
  kSteady,    // each device keeps its own phase, give or take a quarter of a second
  kShuffled,  // each interval in an order drawn anew: the worst that can come
};

// Which sessions beat in which tick.
class Schedule final {
 public:
  Schedule(uint32_t sessions, uint32_t intervals, Arrivals arrivals) {
    std::mt19937 random(1);
    std::uniform_int_distribution<uint32_t> any_phase(0, kIntervalMs - 1);
    std::uniform_int_distribution<uint32_t> any_jitter(0, kJitterMs - 1);
    std::vector<uint32_t> phase_ms(sessions);
    std::vector<uint64_t> beats;  // the moment in the high half, the session in the low
    beats.reserve(size_t{sessions} * intervals);
    for (uint32_t interval = 0; interval < intervals; ++interval) {
      for (uint32_t session = 0; session < sessions; ++session) {
        uint32_t& phase = phase_ms[session];
        if (interval == 0 || arrivals == Arrivals::kShuffled) phase = any_phase(random);
        const uint32_t jitter = arrivals == Arrivals::kSteady ? any_jitter(random) : 0;
        beats.push_back(uint64_t{interval * kIntervalMs + phase + jitter} << 32 | session);
      }
    }
    std::sort(beats.begin(), beats.end());
    for (const uint64_t beat : beats) {
      const auto tick = static_cast<uint32_t>(beat >> 32) / kTickMs;
      first_of_tick_.resize(tick + 1, static_cast<uint32_t>(sessions_.size()));
      sessions_.push_back(static_cast<uint32_t>(beat));
    }
    first_of_tick_.resize(intervals * kTicksPerInterval + 1,
                          static_cast<uint32_t>(sessions_.size()));
  }

  std::span<const uint32_t> beats_of(uint32_t tick) const {
    return std::span(sessions_).subspan(first_of_tick_[tick],
                                        first_of_tick_[tick + 1] - first_of_tick_[tick]);
  }

 private:
  std::vector<uint32_t> sessions_;
  std::vector<uint32_t> first_of_tick_;
};

// Ours: what SessionLoop does, with the classes that it does it with.
class WheelAndList final {
 public:
  explicit WheelAndList(uint32_t sessions) : table_(sessions, WrappingMs(0)) {
    for (uint32_t i = 0; i < sessions; ++i) {
      const uint32_t slot = table_.allocate();
      HF_CHECK(slot == i);
      HotRecord& record = table_.hot(slot);
      record.state = SessionState::kOpen;
      record.heartbeat_s = kHeartbeatS;
      record.misses = kMisses;
      table_.sessions.push_newest(slot);
      table_.wheel.arm(slot, next_due(record, std::nullopt, settings_));
    }
  }

  void beat(std::span<const uint32_t> batch, WrappingMs now) {
    table_.for_each_ahead(
        batch, [](uint32_t slot) { return slot; },
        [this, now](uint32_t slot) { table_.note_activity(slot, now); });
  }

  void tick(WrappingMs now) {
    const bool is_done = table_.wheel.advance(now, SIZE_MAX, [this, now](uint32_t slot) {
      const HotRecord& record = table_.hot(slot);
      HF_CHECK(due_action(record, std::nullopt, settings_, now) == DueAction::kNothing);
      table_.wheel.arm(slot, next_due(record, std::nullopt, settings_));
    });
    HF_CHECK(is_done);
  }

 private:
  LivenessSettings settings_;
  SessionTable table_;
};

// An ordered map by deadline: out of it and into it again with each heartbeat.
class OrderedMap final {
 public:
  explicit OrderedMap(uint32_t sessions) {
    for (uint32_t i = 0; i < sessions; ++i) places_.push_back(by_deadline_.emplace(deadline(0), i));
  }

  void beat(std::span<const uint32_t> batch, WrappingMs now) {
    for (const uint32_t session : batch) {
      by_deadline_.erase(places_[session]);
      places_[session] = by_deadline_.emplace(deadline(now.count()), session);
    }
  }

  void tick(WrappingMs now) { HF_CHECK(by_deadline_.begin()->first > now.count()); }

 private:
  using Map = std::multimap<uint64_t, uint32_t>;
  static uint64_t deadline(uint32_t now_ms) { return uint64_t{now_ms} + kTimeoutS * 1000; }

  Map by_deadline_;
  std::vector<Map::iterator> places_;
};

// One libevent timer a session, added anew with each heartbeat. With kIsCommon in the queue that
// libevent keeps for a timeout that many events share, else in its heap.
template <bool kIsCommon>
class LibeventTimers final {
 public:
  explicit LibeventTimers(uint32_t sessions) : base_(event_base_new()), timers_(sessions) {
    if (kIsCommon) timeout_ = *event_base_init_common_timeout(base_, &timeout_);
    for (event*& timer : timers_) {
      timer = evtimer_new(
          base_, [](evutil_socket_t, short, void*) { HF_CHECK(false); }, nullptr);
      event_add(timer, &timeout_);
    }
  }
  LibeventTimers(const LibeventTimers&) = delete;
  LibeventTimers& operator=(const LibeventTimers&) = delete;
  ~LibeventTimers() {
    for (event* const timer : timers_) event_free(timer);
    event_base_free(base_);
  }

  void beat(std::span<const uint32_t> batch, WrappingMs) {
    for (const uint32_t session : batch) event_add(timers_[session], &timeout_);
  }

  void tick(WrappingMs) { event_base_update_cache_time(base_); }

  // Inside a callback of libevent, where it takes the time from its cache, as it would in use.
  template <class Body>
  void run(Body body) {
    event* const once = evtimer_new(
        base_, [](evutil_socket_t, short, void* argument) { (*static_cast<Body*>(argument))(); },
        &body);
    event_active(once, EV_TIMEOUT, 0);
    event_base_loop(base_, EVLOOP_ONCE);
    event_free(once);
  }

 private:
  event_base* base_;
  timeval timeout_{.tv_sec = kTimeoutS, .tv_usec = 0};
  std::vector<event*> timers_;
};

// A heartbeat is one store, and a look at everybody every 64 ms: as seldom as the promise of 100 ms
// allows. The times stand side by side in an array of their own, which is kinder to it than records
// would be.
class FullScan final {
 public:
  explicit FullScan(uint32_t sessions) : last_activity_ms_(sessions) {}

  void beat(std::span<const uint32_t> batch, WrappingMs now) {
    for (const uint32_t session : batch) last_activity_ms_[session] = now.count();
  }

  void tick(WrappingMs now) {
    constexpr uint32_t kScanMs = 64;
    if (now.count() % kScanMs != 0) return;
    size_t dead = 0;
    for (const uint32_t last_ms : last_activity_ms_)
      dead += now.count() - last_ms >= kTimeoutS * 1000u;
    HF_CHECK(dead == 0);
  }

 private:
  std::vector<uint32_t> last_activity_ms_;
};

template <class Bookkeeper>
uint64_t live_through(Bookkeeper& bookkeeper, const Schedule& schedule, uint32_t tick) {
  constexpr size_t kBatchMax = ConnectionPoller::kBatchMax;
  const WrappingMs now(tick * kTickMs);
  const std::span<const uint32_t> beats = schedule.beats_of(tick);
  for (size_t at = 0; at < beats.size(); at += kBatchMax) {
    bookkeeper.beat(beats.subspan(at, std::min(kBatchMax, beats.size() - at)), now);
  }
  bookkeeper.tick(now);
  return beats.size();
}

template <class Bookkeeper>
void measure_ticks(benchmark::State& state) {
  const auto sessions = static_cast<uint32_t>(state.range(0));
  const auto ticks = static_cast<uint32_t>(state.max_iterations);
  const Schedule schedule(sessions, ticks / kTicksPerInterval + 1, Arrivals{state.range(1)});
  Bookkeeper bookkeeper(sessions);
  uint64_t heartbeats = 0;
  const auto body = [&] {
    uint32_t tick = 0;
    while (tick < kTicksPerInterval) live_through(bookkeeper, schedule, tick++);
    for (auto _ : state) heartbeats += live_through(bookkeeper, schedule, tick++);
  };
  if constexpr (requires { bookkeeper.run(body); }) {
    bookkeeper.run(body);
  } else {
    body();
  }
  state.counters["per_heartbeat"] = benchmark::Counter(
      static_cast<double>(heartbeats), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

template <class Bookkeeper>
void add(const char* name) {
  constexpr uint32_t kHeartbeatsMin = 2'000'000;  // of a repetition
  for (const Arrivals arrivals : {Arrivals::kSteady, Arrivals::kShuffled}) {
    for (const uint32_t sessions : {1'000u, 100'000u, 1'000'000u}) {
      const char* const suffix = arrivals == Arrivals::kSteady ? "/steady" : "/shuffled";
      benchmark::RegisterBenchmark((std::string(name) + suffix).c_str(), measure_ticks<Bookkeeper>)
          ->Args({sessions, static_cast<int64_t>(arrivals)})
          ->ArgNames({"sessions", ""})
          ->Iterations(kHeartbeatsMin / sessions * kTicksPerInterval);
    }
  }
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) {
  using namespace holdfast::bench;
  add<WheelAndList>("wheel_and_list");
  add<OrderedMap>("ordered_map");
  add<LibeventTimers<false>>("libevent_heap");
  add<LibeventTimers<true>>("libevent_common_timeout");
  add<FullScan>("full_scan");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
