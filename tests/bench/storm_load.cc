#include <sched.h>
#include <sys/select.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/address.h"
#include "common/histogram.h"
#include "common/status.h"
#include "tests/bench/load_process.h"
#include "tests/bench/mute_client.h"
#include "tests/bench/native_protocol.h"
#include "tests/bench/ping_client.h"
#include "tests/bench/tls_context.h"

// The crowds of tests/bench/bench_storm.py and bench_tls_storm.py, each a process of its own:
// `mute` devices that all die in the same moment, `arriving` ones that all come in the same moment,
// and `living` ones that ping meanwhile. They talk with the script in lines: one of JSON when they
// are connected, and one with what they saw; moments in it are nanoseconds on the monotonic clock,
// which all processes share. Exit codes: 0 done, 1 something was lost, 2 wrong usage.
namespace holdfast::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr uint16_t kLivingHeartbeatS = 1800;  // so long that the server never asks
constexpr Nanoseconds kSecondNs = 1'000'000'000;
constexpr Nanoseconds kLastAnswersNs = 2 * kSecondNs;
// How long after the last deadline an eviction is still waited for.
constexpr Nanoseconds kEvictionWaitNs = 10 * kSecondNs;
// How long those who have come are waited for.
constexpr Nanoseconds kArrivalWaitNs = 30 * kSecondNs;
// PINGs that are late are sent in bunches of this many, with a look at the answers in between.
constexpr int kBunchMax = 64;
// The script is listened to this often.
constexpr uint32_t kPassesPerLook = 256;

struct Options {
  std::string target;
  uint32_t connections = 1000;
  uint32_t first_id = 0;
  uint16_t heartbeat_s = 2;
  double rate_per_s = 1000;
  std::string tls;  // its version, or empty
};

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_storm_load: %s\n", why.c_str());
  return kExitFailed;
}

void print_line(const nlohmann::ordered_json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

nlohmann::ordered_json percentiles_us(const Histogram& values_ns) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"count", values_ns.count()},
          {"p50", us(values_ns.percentile(0.5))},
          {"p99", us(values_ns.percentile(0.99))},
          {"p99_9", us(values_ns.percentile(0.999))},
          {"max", us(values_ns.max())}};
}

// The living go before the mute on the processor that both crowds share: what the mute do with
// fifteen thousand GOAWAYs is no delay of the gateway's. Both go before other programs, real-time,
// since niceness alone lets whoever runs finish a slice of milliseconds. Source: sched(7).
constexpr int kMutePriority = 1;
constexpr int kLivingPriority = 2;

// False where it is not allowed.
bool go_first(int priority) {
  const sched_param wanted{.sched_priority = priority};
  return sched_setscheduler(0, SCHED_FIFO, &wanted) == 0;
}

int run_mute(const Address& target, const Options& options) {
  MuteClient client(target, options.connections, options.first_id);
  Status status = client.connect_all(options.heartbeat_s);
  if (!status.is_ok()) return fail(status.message());
  status = client.fall_silent();
  if (!status.is_ok()) return fail(status.message());
  go_first(kMutePriority);
  const EvictionTally& tally = client.tally();
  print_line({{"first_deadline", tally.first_deadline}, {"last_deadline", tally.last_deadline}});
  client.await_evictions(tally.last_deadline + kEvictionWaitNs);
  print_line({{"evicted", tally.evicted},
              {"ended_otherwise", tally.ended_otherwise},
              {"still_open", client.open_connections()},
              {"early", tally.early},
              {"last_eviction", tally.last_eviction},
              {"late_us", percentiles_us(tally.late_ns)},
              {"first_surprise", tally.first_surprise}});
  return tally.evicted == options.connections ? kExitOk : kExitFailed;
}

// By TLS as asked, or not at all.
class DeviceTls final {
 public:
  explicit DeviceTls(const std::string& version) {
    if (!version.empty()) context_.emplace(version, native_protocol().alpn());
  }
  const TlsContext* context() const { return context_ ? &*context_ : nullptr; }

 private:
  std::optional<TlsContext> context_;
};

int run_arriving(const Address& target, const Options& options) {
  const DeviceTls tls(options.tls);
  PingClient client(target, options.connections, options.first_id, native_protocol(),
                    kLivingHeartbeatS, tls.context());
  const Nanoseconds begin = monotonic_ns();
  const Status status = client.arrive_all(begin + kArrivalWaitNs);
  const Nanoseconds end = monotonic_ns();
  if (!status.is_ok()) return fail(status.message());
  const ArrivalTally& arrivals = client.arrivals();
  print_line({{"begin", begin},
              {"last_connect", arrivals.last_connect},
              {"end", end},
              {"welcomed", arrivals.welcome_ns.count()},
              {"lost_connections", client.lost_connections()},
              {"first_loss", client.first_loss()},
              {"handshake_us", percentiles_us(arrivals.handshake_ns)},
              {"welcome_us", percentiles_us(arrivals.welcome_ns)}});
  return kExitOk;
}

bool has_input() {
  fd_set input;
  FD_ZERO(&input);
  FD_SET(STDIN_FILENO, &input);
  timeval at_once{};
  return select(STDIN_FILENO + 1, &input, nullptr, nullptr, &at_once) > 0;
}

// Pings at planned times until the script has something to say.
void ping_until_told(PingClient& client, double rate_per_s) {
  const double interval_ns = static_cast<double>(kSecondNs) / rate_per_s;
  const Nanoseconds begin = monotonic_ns();
  uint64_t sent = 0;
  const auto planned = [&] {
    return begin + static_cast<Nanoseconds>(static_cast<double>(sent) * interval_ns);
  };
  for (uint32_t pass = 1; pass % kPassesPerLook != 0 || !has_input(); ++pass) {
    for (int i = 0; i < kBunchMax && planned() <= monotonic_ns(); ++i) {
      client.send_next(planned());
      ++sent;
    }
    client.poll_until(planned());
  }
  const Nanoseconds give_up = monotonic_ns() + kLastAnswersNs;
  while (client.tally().answered < client.tally().sent && monotonic_ns() < give_up) {
    client.poll_until(give_up);
  }
}

Histogram round_trips_planned_in(const std::vector<PingSample>& samples, Nanoseconds begin,
                                 Nanoseconds end) {
  Histogram round_trip_ns;
  for (const PingSample& sample : samples) {
    if (sample.planned >= begin && sample.planned < end) round_trip_ns.record(sample.round_trip_ns);
  }
  return round_trip_ns;
}

// The script asks for windows, each a line with two moments, once the storm is over.
int run_living(const Address& target, const Options& options) {
  const DeviceTls tls(options.tls);
  PingClient client(target, options.connections, options.first_id, native_protocol(),
                    kLivingHeartbeatS, tls.context());
  std::vector<PingSample> samples;
  client.keep_samples(samples);
  const Status status = client.connect_all();
  if (!status.is_ok()) return fail(status.message());
  print_line({{"connected", client.size()}, {"goes_first", go_first(kLivingPriority)}});
  ping_until_told(client, options.rate_per_s);
  nlohmann::ordered_json windows = nlohmann::ordered_json::array();
  for (Nanoseconds begin = 0, end = 0; std::cin >> begin >> end;) {
    windows.push_back(percentiles_us(round_trips_planned_in(samples, begin, end)));
  }
  const uint64_t lost_pings = client.tally().sent - client.tally().answered;
  print_line({{"windows", windows},
              {"lost_pings", lost_pings},
              {"lost_connections", client.lost_connections()},
              {"first_loss", client.first_loss()}});
  return lost_pings == 0 && client.lost_connections() == 0 ? kExitOk : kExitFailed;
}

void add_common(CLI::App& app, Options& options) {
  app.add_option("--target", options.target, "IPv4 ADDRESS:PORT of the gateway")->required();
  app.add_option("--connections", options.connections, "device connections")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--first-id", options.first_id, "number of the first device");
}

void add_tls(CLI::App& app, Options& options) {
  app.add_option("--tls", options.tls, "within TLS of this version; without: none")
      ->check(CLI::IsMember({"1.2", "1.3"}));
}

int run(int argc, char** argv) {
  CLI::App app("The crowds of an eviction storm, and of a storm of arrivals.");
  Options options;
  app.require_subcommand(1);
  CLI::App& mute = *app.add_subcommand("mute", "devices that all fall silent, and are evicted");
  add_common(mute, options);
  mute.add_option("--heartbeat-s", options.heartbeat_s, "the heartbeat they ask for")
      ->check(CLI::Range(1, 1800));
  CLI::App& arriving = *app.add_subcommand("arriving", "devices that all come at once");
  add_common(arriving, options);
  add_tls(arriving, options);
  CLI::App& living = *app.add_subcommand("living", "devices that ping at planned times");
  add_common(living, options);
  add_tls(living, options);
  living.add_option("--rate", options.rate_per_s, "PINGs per second over all connections")
      ->check(CLI::Range(1.0, 1e8));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const Result<Address> target = Address::parse(options.target);
  if (!target.is_ok()) return fail(target.status().message());
  prepare_load_process();
  if (mute.parsed()) return run_mute(target.value(), options);
  if (arriving.parsed()) return run_arriving(target.value(), options);
  return run_living(target.value(), options);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::run(argc, argv); }
