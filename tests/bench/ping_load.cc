#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/address.h"
#include "common/status.h"
#include "tests/bench/cpu_time.h"
#include "tests/bench/ping_client.h"

// The client of tests/bench/run: holds device connections, pings over them at planned times, and
// says in one line of JSON what a ping cost the server and how long it took. Exit codes: 0 done, 1
// a connection or an answer was lost, or nothing could be measured; 2 wrong usage.
namespace holdfast::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr double kSecondNs = 1e9;
// Answers to the window's last PINGs are waited for this long; what has not come then is lost.
constexpr Nanoseconds kLastAnswersNs = 2'000'000'000;
// PINGs that are late are sent in bunches of this many, with a look at the answers in between.
constexpr int kBunchMax = 64;

struct Options {
  std::string target;
  uint32_t connections = 1000;
  uint32_t first_id = 0;
  double rate_per_s = 0;
  double warm_up_s = 1;
  double seconds = 5;
  int server_pid = 0;
  bool hold = false;
};

void add_options(CLI::App& app, Options& options) {
  app.add_option("--target", options.target, "IPv4 ADDRESS:PORT of the server")->required();
  app.add_option("--connections", options.connections, "device connections")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--first-id", options.first_id, "number of the first device");
  app.add_option("--rate", options.rate_per_s,
                 "PINGs per second over all connections, at planned times; 0: every connection "
                 "sends one as soon as it has the answer to the last")
      ->check(CLI::Range(0.0, 1e8));
  app.add_option("--warm-up", options.warm_up_s, "seconds of load before the window")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--seconds", options.seconds, "length of the window that is measured")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--server-pid", options.server_pid, "the server's process, for its CPU time");
  app.add_flag("--hold", options.hold,
               "send one PING on each connection, print a line, and hold them all silently until "
               "standard input ends");
}

// What all had used at one moment.
struct CpuSample {
  Nanoseconds at = 0;
  uint64_t server_ns = 0;
  uint64_t client_ns = 0;
  uint64_t machine_ns = 0;
};

Result<CpuSample> take_sample(int server_pid) {
  const Result<uint64_t> server_ns = process_cpu_ns(server_pid);
  if (!server_ns.is_ok()) return server_ns.status();
  return CpuSample{.at = monotonic_ns(),
                   .server_ns = server_ns.value(),
                   .client_ns = own_cpu_ns(),
                   .machine_ns = machine_busy_ns()};
}

// Sends what is planned and takes what comes, until `end`.
class LoadDriver final {
 public:
  LoadDriver(PingClient& client, double rate_per_s)
      : client_(client), interval_ns_(rate_per_s > 0 ? kSecondNs / rate_per_s : 0) {}

  void start(Nanoseconds now) {
    begin_ = now;
    if (interval_ns_ > 0) return;
    client_.set_echoing(true);
    for (uint32_t i = 0; i < client_.size(); ++i) client_.send_next(now);
  }

  void run_until(Nanoseconds end) {
    for (Nanoseconds now = monotonic_ns(); now < end; now = monotonic_ns()) {
      for (int i = 0; i < kBunchMax && interval_ns_ > 0 && planned() <= now; ++i) {
        client_.send_next(planned());
        ++sent_;
      }
      client_.poll_until(interval_ns_ > 0 ? std::min(planned(), end) : end);
    }
  }

  // Sends nothing more, and takes the answers that are still on their way.
  void finish(Nanoseconds give_up) {
    client_.set_echoing(false);
    while (client_.tally().answered < client_.tally().sent && monotonic_ns() < give_up) {
      client_.poll_until(give_up);
    }
  }

 private:
  // Counted from the beginning, so that no rounding adds up.
  Nanoseconds planned() const {
    return begin_ + static_cast<Nanoseconds>(static_cast<double>(sent_) * interval_ns_);
  }

  PingClient& client_;
  const double interval_ns_;
  Nanoseconds begin_ = 0;
  uint64_t sent_ = 0;
};

nlohmann::ordered_json round_trip_json(const Histogram& round_trip_ns) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"p50", us(round_trip_ns.percentile(0.5))},
          {"p99", us(round_trip_ns.percentile(0.99))},
          {"p99_9", us(round_trip_ns.percentile(0.999))},
          {"max", us(round_trip_ns.max())}};
}

nlohmann::ordered_json window_json(const PingClient& client, const CpuSample& before,
                                   const CpuSample& after) {
  const PingTally& tally = client.tally();
  const auto wall_ns = static_cast<double>(after.at - before.at);
  const auto server_ns = static_cast<double>(after.server_ns - before.server_ns);
  const auto client_ns = static_cast<double>(after.client_ns - before.client_ns);
  const auto machine_ns = static_cast<double>(after.machine_ns - before.machine_ns);
  const auto pings = static_cast<double>(tally.answered_in_window);
  return {{"pings", tally.answered_in_window},
          {"window_s", wall_ns / kSecondNs},
          {"achieved_per_s", pings * kSecondNs / wall_ns},
          {"server_cpu_ns_per_ping", pings > 0 ? server_ns / pings : 0},
          // Shares of one core. A client near 1 was the limit, not the server.
          {"server_share", server_ns / wall_ns},
          {"client_share", client_ns / wall_ns},
          {"others_share", std::max(0.0, machine_ns - server_ns - client_ns) / wall_ns},
          {"round_trip_us", round_trip_json(tally.round_trip_ns)},
          {"lost_pings", tally.sent_in_window - tally.answered_of_window},
          {"lost_connections", client.lost_connections()},
          {"first_loss", client.first_loss()}};
}

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_ping_load: %s\n", why.c_str());
  return kExitFailed;
}

void print_line(const nlohmann::ordered_json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

int measure(PingClient& client, const Options& options) {
  LoadDriver driver(client, options.rate_per_s);
  const Nanoseconds start = monotonic_ns();
  const Nanoseconds begin = start + static_cast<Nanoseconds>(options.warm_up_s * kSecondNs);
  const Nanoseconds end = begin + static_cast<Nanoseconds>(options.seconds * kSecondNs);
  client.set_window(begin, end);
  driver.start(start);
  driver.run_until(begin);
  const Result<CpuSample> before = take_sample(options.server_pid);
  driver.run_until(end);
  const Result<CpuSample> after = take_sample(options.server_pid);
  driver.finish(monotonic_ns() + kLastAnswersNs);
  if (!before.is_ok()) return fail(before.status().message());
  if (!after.is_ok()) return fail(after.status().message());
  print_line(window_json(client, before.value(), after.value()));
  const PingTally& tally = client.tally();
  const bool is_whole = client.lost_connections() == 0 && tally.answered == tally.sent;
  return is_whole ? kExitOk : kExitFailed;
}

void wait_for_end_of_input() {
  char ignored[64];
  while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
  }
}

int hold(PingClient& client) {
  const Nanoseconds now = monotonic_ns();
  client.set_window(now, now + 1);
  for (uint32_t i = 0; i < client.size(); ++i) {
    client.send_next(now);
    if (i % kBunchMax == 0) client.poll_until(0);
  }
  LoadDriver(client, 0).finish(monotonic_ns() + kLastAnswersNs);
  const uint64_t answered = client.tally().answered;
  print_line({{"held", client.size()}, {"answered", answered}});
  wait_for_end_of_input();
  client.poll_until(0);
  if (client.lost_connections() > 0) return fail(client.first_loss());
  return answered == client.size() ? kExitOk : kExitFailed;
}

int run(int argc, char** argv) {
  CLI::App app("Pings a server over many device connections and tells what a ping cost it.");
  Options options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const Result<Address> target = Address::parse(options.target);
  if (!target.is_ok()) return fail(target.status().message());
  // By default the kernel may be 50 us late, which is longer than many answers take.
  prctl(PR_SET_TIMERSLACK, 1);
  PingClient client(target.value(), options.connections, options.first_id);
  const Status status = client.connect_all();
  if (!status.is_ok()) return fail(status.message());
  return options.hold ? hold(client) : measure(client, options);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::run(argc, argv); }
