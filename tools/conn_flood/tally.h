#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/histogram.h"
#include "common/protocol/frame.h"
#include "tools/conn_flood/client.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/tls_failure.h"

// What workers count. A tally lies in memory that all processes of the run share; each has one
// writer.
namespace holdfast::flood {

enum class Count : uint8_t {
  kConnectsStarted,
  kEstablished,
  kWelcomed,            // WELCOMEs, reconnects included
  kClosedAfterWelcome,  // so that kWelcomed - this is connected now
  kSettled,             // clients that the ramp is past
  kReconnects,
  kTookOver,  // WELCOMEs that replaced an older session
  kPings,
  kPongs,
  kPongsMissing,     // not within the granted timeout
  kPongsAbandoned,   // the connection ended, or the run was stopped, before they were due
  kPongsUnexpected,  // answers to no PING of ours
  kAnsweredInHold,   // clients, each once: a PING planned since all were connected has its PONG
  kServerPingsAnswered,
  kServerPingsIgnored,  // by clients that had fallen silent
  kIntervalChanges,
  kMoved,         // times a draining server named another address to go to
  kMovesIgnored,  // the address could not be read, or there were too many
  kMessages,
  kSlowReaderBytes,  // sent by slow readers
  kGoodbyes,
  kGoodbyesUnanswered,  // the server did not close in time after our GOAWAY 0
  kChurned,             // times a churning client left of its own will
  kSlowReadersOpen,     // at the end
  kEvictionsPending,    // silent ones whose deadline lay beyond the end
  kAwayAtEnd,           // were welcomed, and did not get back in
  kUnfinished,          // first attempts that the end of the run cut off
  kNotStarted,          // the run was stopped before the ramp came to them
};
inline constexpr size_t kCountCount = 28;
std::string_view to_text(Count count);

// What became of a behaviour's clients.
enum class Fate : uint8_t {
  kWelcomed,  // clients, each once
  kEvicted,
  kEvictedEarly,
  kOverdue,  // silent, and connected kOverdueMs after the deadline
  kClosedSlow,
  kDismissed,
  kLost,
};
inline constexpr size_t kFateCount = 7;
std::string_view to_text(Fate fate);

// Why an attempt found no WELCOME, apart from a GOAWAY.
enum class Refusal : uint8_t {
  kConnectionRefused,
  kNoPort,        // EADDRNOTAVAIL: all client ports of the source are in use
  kNoDescriptor,  // EMFILE, ENFILE
  kUnreachable,   // any other error of connect(2)
  kTimeout,
  kClosed,  // the server closed or reset without a word
  kProtocolError,
  kTls,  // its handshake failed, and neither by timeout nor by a close
};
inline constexpr size_t kRefusalCount = 8;
std::string_view to_text(Refusal refusal);

enum class LossCause : uint8_t { kClosed, kReset, kGoaway, kPongMissing, kProtocolError };
inline constexpr size_t kLossCauseCount = 5;
std::string_view to_text(LossCause cause);

// Of TLS handshakes that were over, as the client sees it.
enum class TlsCount : uint8_t {
  kFull,
  kResumed,
  kTicketsOffered,
  kVersion12,
  kVersion13,
};
inline constexpr size_t kTlsCountCount = 5;

inline constexpr size_t kTlsAlertCount = 256;  // alerts are a byte

// GOAWAY codes as indices: 0, 4000 to 4011, any other.
inline constexpr size_t kGoawayKindCount = 14;
size_t goaway_kind(GoawayCode code);
// "0", "4000" to "4011", "other".
std::string_view goaway_kind_text(size_t kind);

// A number that one thread writes and others read.
class Counter final {
 public:
  void add(uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  uint64_t get() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};
static_assert(std::atomic<uint64_t>::is_always_lock_free, "shared between processes");

// All counts, with Counter cells while they are written and numbers once they are added up.
template <class Cell>
struct CountTable {
  std::array<Cell, kCountCount> counts{};
  std::array<std::array<Cell, kFateCount>, kBehaviourCount> fates{};
  std::array<Cell, kRefusalCount> refusals{};
  std::array<Cell, kLossCauseCount> losses{};
  std::array<Cell, kGoawayKindCount> refusals_by_goaway{};  // before WELCOME
  std::array<Cell, kGoawayKindCount> goaways{};             // after it
  std::array<Cell, kTlsCountCount> tls{};
  std::array<Cell, kTlsFailureKindCount> tls_failures{};
  std::array<Cell, kTlsAlertCount> tls_alerts{};  // of tls_failures, by the alert's number

  Cell& operator[](Count count) { return counts[static_cast<size_t>(count)]; }
  const Cell& operator[](Count count) const { return counts[static_cast<size_t>(count)]; }
  Cell& operator[](TlsCount count) { return tls[static_cast<size_t>(count)]; }
  const Cell& operator[](TlsCount count) const { return tls[static_cast<size_t>(count)]; }
  Cell& fate(Behaviour behaviour, Fate fate) {
    return fates[static_cast<size_t>(behaviour)][static_cast<size_t>(fate)];
  }
  const Cell& fate(Behaviour behaviour, Fate fate) const {
    return fates[static_cast<size_t>(behaviour)][static_cast<size_t>(fate)];
  }
};

using Totals = CountTable<uint64_t>;
void add(Totals& totals, const CountTable<Counter>& counters);
uint64_t total_of(const Totals& totals, Fate fate);

// Round trips for the live line: 16 buckets to a power of two, readable while it is written.
class LiveLatency final {
 public:
  static constexpr size_t kSubBucketBits = 4;
  static constexpr size_t kBuckets = size_t{32 - kSubBucketBits + 1} << kSubBucketBits;
  using Snapshot = std::array<uint64_t, kBuckets>;

  // Values above 2^32 - 1 us (an hour) count as that.
  void record(uint64_t us) { buckets_[bucket_of(us)].add(); }
  void add_to(Snapshot& snapshot) const;

  static size_t bucket_of(uint64_t us);
  static uint64_t bucket_top(size_t bucket);
  // Of what was recorded between the two; 0 when nothing was.
  static uint64_t percentile(const Snapshot& before, const Snapshot& now, double fraction);

 private:
  std::array<Counter, kBuckets> buckets_{};
};

struct Latencies {
  Histogram connect_us;        // planned connect to established; first connections and reconnects
  Histogram tls_handshake_us;  // established to the end of the TLS handshake
  Histogram welcome_us;        // planned connect to WELCOME
  Histogram ping_rtt_us;       // planned PING to its PONG
  // Of these, those planned in the calm, and those answered while silent clients were being
  // evicted: from a worker's first eviction to its last.
  Histogram ping_rtt_calm_us;
  Histogram ping_rtt_evicting_us;
  Histogram eviction_delay_us;  // silent client's deadline to its GOAWAY 4003; 0 when early

  void merge(const Latencies& other);
};

struct Tally {
  CountTable<Counter> counters;
  LiveLatency live_rtt;
  std::atomic<uint64_t> last_settled_us{
      0};  // since the start: when the ramp's latest client settled
  std::atomic<uint64_t> early_by_ms_max{
      0};                           // the earliest eviction, before its deadline less the slack
  std::atomic<int> first_error{0};  // errno of the first attempt that the machine refused
  // TlsFailure::code of the first of each kind; 0 for none.
  std::array<std::atomic<uint32_t>, kTlsFailureKindCount> first_tls_codes{};
  std::atomic<bool> is_finished{false};  // the worker is done (release); latencies may be read
  Latencies latencies;                   // the worker's own until then
};

}  // namespace holdfast::flood
