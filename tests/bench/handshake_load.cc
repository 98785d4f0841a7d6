#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "common/address.h"
#include "common/status.h"
#include "tests/bench/handshake_client.h"
#include "tests/bench/load_process.h"
#include "tests/bench/load_window.h"
#include "tests/bench/tls_context.h"

// The client of tests/bench/bench_tls_handshake.py: does handshakes in a closed loop and says in
// one line of JSON what those of a window cost the server. Exit codes: 0 done, 1 a handshake failed
// or was not of the kind that was asked for, or nothing could be measured; 2 wrong usage.
namespace holdfast::bench {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr double kSecondNs = 1e9;
constexpr Nanoseconds kLastEndsNs = 2'000'000'000;

struct Options {
  std::string target;
  std::string tls = "1.3";
  std::string kind = "full";
  std::string alpn = "holdfast/1";
  uint32_t connections = 16;
  double warm_up_s = 0.5;
  double seconds = 2;
  ServerProcess server;
};

int fail(const std::string& why) {
  std::fprintf(stderr, "bench_handshake_load: %s\n", why.c_str());
  return kExitFailed;
}

void add_options(CLI::App& app, Options& options) {
  app.add_option("--target", options.target, "IPv4 ADDRESS:PORT of the server")->required();
  app.add_option("--tls", options.tls, "version")->check(CLI::IsMember({"1.2", "1.3"}));
  app.add_option("--kind", options.kind,
                 "full: with the certificate; resumed: with what the last connection got")
      ->check(CLI::IsMember({"full", "resumed"}));
  app.add_option("--alpn", options.alpn, "protocol that is asked for");
  app.add_option("--connections", options.connections, "handshakes that are under way at a time")
      ->check(CLI::Range(1, 10'000));
  app.add_option("--warm-up", options.warm_up_s, "seconds of load before the window")
      ->check(CLI::Range(0.0, 3600.0));
  app.add_option("--seconds", options.seconds, "length of the window that is measured")
      ->check(CLI::Range(0.1, 3600.0));
  app.add_option("--server-pid", options.server.pids,
                 "the server's process, and its others after it, for their CPU time")
      ->required();
}

nlohmann::ordered_json latency_json(const Histogram& latency_ns) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"p50", us(latency_ns.percentile(0.5))},
          {"p99", us(latency_ns.percentile(0.99))},
          {"max", us(latency_ns.max())}};
}

// Empty when every handshake was as asked for.
std::string complaint(const HandshakeTally& tally, const Options& options) {
  if (tally.failed > 0) return std::to_string(tally.failed) + " failed: " + tally.first_failure;
  if (tally.completed == 0) return "no handshake was completed: did the server send no ticket?";
  const uint64_t wanted = options.kind == "resumed" ? tally.completed : 0;
  if (tally.resumed == wanted) return {};
  return std::to_string(tally.resumed) + " of " + std::to_string(tally.completed) +
         " were resumed, not " + std::to_string(wanted);
}

int measure(HandshakeClient& client, const Options& options) {
  Status status = client.start();
  const Nanoseconds begin =
      monotonic_ns() + static_cast<Nanoseconds>(options.warm_up_s * kSecondNs);
  if (status.is_ok()) status = client.run_until(begin);
  if (!status.is_ok()) return fail(status.message());
  if (client.tally().failed > 0) return fail(client.tally().first_failure);
  const Result<CpuSample> before = take_sample(options.server);
  client.clear_tally();
  status = client.run_until(begin + static_cast<Nanoseconds>(options.seconds * kSecondNs));
  const Result<CpuSample> after = take_sample(options.server);
  const HandshakeTally tally = client.tally();
  if (!status.is_ok()) return fail(status.message());
  if (!before.is_ok()) return fail(before.status().message());
  if (!after.is_ok()) return fail(after.status().message());
  const std::string wrong = complaint(tally, options);
  if (!wrong.empty()) return fail(wrong);
  if (!client.finish(monotonic_ns() + kLastEndsNs)) return fail("the server left some open");
  auto line = cost_json("handshake", tally.completed, before.value(), after.value());
  line["resumed"] = tally.resumed;
  line["suite"] = tally.suite;
  line["latency_us"] = latency_json(tally.latency_ns);
  std::printf("%s\n", line.dump().c_str());
  return kExitOk;
}

int run(int argc, char** argv) {
  CLI::App app("Does handshakes of TLS with a server and tells what they cost it.");
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
  if (options.kind == "resumed" && options.tls != "1.3")
    return fail("--kind resumed: TLS 1.3 only");
  const TlsContext tls(options.tls, options.alpn);
  const auto kind =
      options.kind == "resumed" ? HandshakeClient::Kind::kResumed : HandshakeClient::Kind::kFull;
  HandshakeClient client(target.value(), options.connections, tls, kind);
  return measure(client, options);
}

}  // namespace
}  // namespace holdfast::bench

int main(int argc, char** argv) { return holdfast::bench::run(argc, argv); }
