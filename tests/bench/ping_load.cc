#include <signal.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/address.h"
#include "common/status.h"
#include "tests/bench/http_protocol.h"
#include "tests/bench/load_driver.h"
#include "tests/bench/load_process.h"
#include "tests/bench/load_window.h"
#include "tests/bench/mqtt_protocol.h"
#include "tests/bench/native_protocol.h"
#include "tests/bench/ping_client.h"
#include "tests/bench/tls_context.h"

// The client of tests/bench/run: opens device connections, does to the server what is to be
// measured, and says in one line of JSON what that cost the server. Exit codes: 0 done, 1 a
// connection or an answer was lost, or nothing could be measured; 2 wrong usage.
namespace holdfast::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr double kSecondNs = 1e9;
// Answers to the window's last PINGs are waited for this long; what has not come then is lost.
constexpr Nanoseconds kLastAnswersNs = 2'000'000'000;
// What the server does of its own accord, or when told to, is waited for this long.
constexpr Nanoseconds kServerActsNs = 20'000'000'000;
// A server has seen the ends of connections this long after the client closed them.
constexpr Nanoseconds kServerRestsNs = 100'000'000;

struct Options {
  std::string measure = "ping";
  std::string protocol = "native";
  std::string tls;  // its version, or empty
  std::string target;
  uint32_t connections = 1000;
  uint32_t first_id = 0;
  uint16_t heartbeat_s = kHeartbeatMaxS;
  double rate_per_s = 0;
  double warm_up_s = 1;
  double seconds = 5;
  double quiet_s = 0;
  bool signal = false;
  ServerProcess server;
};

void add_ping_options(CLI::App& app, Options& options) {
  app.add_option("--rate", options.rate_per_s,
                 "ping: PINGs per second over all connections, at planned times; 0: every "
                 "connection sends one as soon as it has the answer to the last")
      ->check(CLI::Range(0.0, 1e8));
  app.add_option("--warm-up", options.warm_up_s, "ping: seconds of load before the window")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--seconds", options.seconds, "ping: length of the window that is measured")
      ->check(CLI::Range(0.1, 3600.0));
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--measure", options.measure,
                 "ping: answers to the device's PINGs; accept: connections, from the first connect "
                 "to the last WELCOME; send: the server's own PINGs to devices that are silent; "
                 "close: evictions for silence; hold: nothing, one PING on each connection, a "
                 "line, and silence until standard input ends; a line there asks for one more PING "
                 "on each, and a line")
      ->check(CLI::IsMember({"ping", "accept", "send", "close", "hold"}));
  app.add_option("--protocol", options.protocol, "what the server speaks")
      ->check(CLI::IsMember({"native", "mqtt", "http"}));
  app.add_option("--tls", options.tls, "within TLS of this version; without: none")
      ->check(CLI::IsMember({"1.2", "1.3"}));
  app.add_option("--target", options.target, "IPv4 ADDRESS:PORT of the server")->required();
  app.add_option("--connections", options.connections, "device connections")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--first-id", options.first_id, "number of the first device");
  app.add_option("--heartbeat", options.heartbeat_s, "seconds that devices ask to be silent for");
  app.add_option("--server-pid", options.server.pids,
                 "the server's process, and its others after it, for their CPU time");
  app.add_option("--server-thread", options.server.thread,
                 "name of the thread of which the CPU time is told apart");
  app.add_option("--quiet", options.quiet_s,
                 "send, close: seconds between the devices' last PING and the window")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_flag("--signal", options.signal,
               "send, close: SIGUSR1 tells the server to begin, when the window does");
  add_ping_options(app, options);
}

nlohmann::ordered_json round_trip_json(const Histogram& round_trip_ns) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"p50", us(round_trip_ns.percentile(0.5))},
          {"p99", us(round_trip_ns.percentile(0.99))},
          {"p99_9", us(round_trip_ns.percentile(0.999))},
          {"max", us(round_trip_ns.max())}};
}

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_ping_load: %s\n", why.c_str());
  return kExitFailed;
}

void print_line(const nlohmann::ordered_json& line) {
  std::printf("%s\n", line.dump().c_str());
  std::fflush(stdout);
}

int measure_ping(PingClient& client, const Options& options) {
  Status status = client.connect_all();
  if (!status.is_ok()) return fail(status.message());
  LoadDriver driver(client, options.rate_per_s);
  const Nanoseconds start = monotonic_ns();
  const Nanoseconds begin = start + static_cast<Nanoseconds>(options.warm_up_s * kSecondNs);
  const Nanoseconds end = begin + static_cast<Nanoseconds>(options.seconds * kSecondNs);
  client.set_window(begin, end);
  driver.start(start);
  driver.run_until(begin);
  const Result<CpuSample> before = take_sample(options.server);
  driver.run_until(end);
  const Result<CpuSample> after = take_sample(options.server);
  driver.finish(monotonic_ns() + kLastAnswersNs);
  if (!before.is_ok()) return fail(before.status().message());
  if (!after.is_ok()) return fail(after.status().message());
  const PingTally& tally = client.tally();
  auto line = cost_json("ping", tally.answered_in_window, before.value(), after.value());
  line["round_trip_us"] = round_trip_json(tally.round_trip_ns);
  line["lost_pings"] = tally.sent_in_window - tally.answered_of_window;
  line["lost_connections"] = client.lost_connections();
  line["first_loss"] = client.first_loss();
  print_line(line);
  const bool is_whole = client.lost_connections() == 0 && tally.answered == tally.sent;
  return is_whole ? kExitOk : kExitFailed;
}

int measure_accept(PingClient& client, const Options& options) {
  const Result<CpuSample> before = take_sample(options.server);
  Status status = client.connect_all();
  const Result<CpuSample> after = take_sample(options.server);
  if (!status.is_ok()) return fail(status.message());
  if (!before.is_ok()) return fail(before.status().message());
  if (!after.is_ok()) return fail(after.status().message());
  print_line(cost_json("connection", client.size(), before.value(), after.value()));
  return kExitOk;
}

// Devices have all spoken at the same time and are silent; what the server then does to each of
// them is measured. `done` counts it.
int measure_server_act(PingClient& client, const Options& options, const std::string& unit,
                       const uint64_t& done) {
  Status status = client.connect_all();
  if (!status.is_ok()) return fail(status.message());
  const Nanoseconds silent_since = monotonic_ns();
  const auto quiet_until = silent_since + static_cast<Nanoseconds>(options.quiet_s * kSecondNs);
  client.ping_all(silent_since + kLastAnswersNs);
  const uint64_t before_done = done;
  while (monotonic_ns() < quiet_until) client.poll_until(quiet_until);
  if (done != before_done) return fail("the server acted before the window; raise --heartbeat");

  const Result<CpuSample> before = take_sample(options.server);
  if (options.signal && kill(options.server.pids.front(), SIGUSR1) != 0) {
    return fail(std::string("kill: ") + std::strerror(errno));
  }
  const Nanoseconds give_up = monotonic_ns() + kServerActsNs;
  while (done - before_done < client.size() && client.lost_connections() == 0 &&
         monotonic_ns() < give_up) {
    client.poll_until(give_up);
  }
  const Nanoseconds rest_until = monotonic_ns() + kServerRestsNs;
  while (monotonic_ns() < rest_until) client.poll_until(rest_until);
  const Result<CpuSample> after = take_sample(options.server);
  if (!before.is_ok()) return fail(before.status().message());
  if (!after.is_ok()) return fail(after.status().message());
  if (client.lost_connections() > 0) return fail(client.first_loss());
  print_line(cost_json(unit, done - before_done, before.value(), after.value()));
  return done - before_done == client.size() ? kExitOk : kExitFailed;
}

int hold(PingClient& client) {
  Status status = client.connect_all();
  if (!status.is_ok()) return fail(status.message());
  std::string line;
  do {
    const uint64_t answered_before = client.tally().answered;
    client.ping_all(monotonic_ns() + kLastAnswersNs);
    const uint64_t answered = client.tally().answered - answered_before;
    print_line({{"held", client.size()}, {"answered", answered}});
  } while (std::getline(std::cin, line));
  client.poll_until(0);
  if (client.lost_connections() > 0) return fail(client.first_loss());
  return client.tally().answered == client.tally().sent ? kExitOk : kExitFailed;
}

int measure(PingClient& client, const Options& options) {
  if (options.measure == "hold") return hold(client);
  if (options.measure == "accept") return measure_accept(client, options);
  const PingTally& tally = client.tally();
  if (options.measure == "send") return measure_server_act(client, options, "send", tally.asked);
  if (options.measure == "close")
    return measure_server_act(client, options, "close", tally.evicted);
  return measure_ping(client, options);
}

const DeviceProtocol& protocol_called(const std::string& name) {
  if (name == "mqtt") return mqtt_protocol();
  return name == "http" ? http_protocol() : native_protocol();
}

int run(int argc, char** argv) {
  CLI::App app("Loads a server with device connections and tells what that cost it.");
  Options options;
  add_options(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  const Result<Address> target = Address::parse(options.target);
  if (!target.is_ok()) return fail(target.status().message());
  prepare_load_process();
  const DeviceProtocol& protocol = protocol_called(options.protocol);
  std::optional<TlsContext> tls;
  if (!options.tls.empty()) tls.emplace(options.tls, protocol.alpn());
  PingClient client(target.value(), options.connections, options.first_id, protocol,
                    options.heartbeat_s, tls ? &*tls : nullptr);
  return measure(client, options);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::run(argc, argv); }
