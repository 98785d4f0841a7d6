#include "tools/conn_flood/options.h"

#include <fmt/format.h>

#include <iostream>

#include <CLI/CLI.hpp>

#include "common/protocol/native.h"
#include "common/status.h"
#include "tools/conn_flood/sources.h"

namespace holdfast::flood {
namespace {

constexpr int kUsageExitCode = 2;
constexpr uint32_t kConnectionsMax = 100'000'000;  // device ids have eight digits at least
constexpr size_t kIdPrefixBytesMax = kDeviceIdBytesMax - 8;
constexpr size_t kServerNameBytesMax = 255;  // RFC 1035, 2.3.4

constexpr const char* kFooter = R"(Behaviours are exact shares of all clients, told apart by --seed:
  mute         falls silent when its next PING would be due, keeps the socket open, and expects
               GOAWAY 4003 at its timeout
  half-frame   falls silent within a PING, and expects the same
  slow-reader  stops reading but sends 320 KiB of PINGs a second, and expects to be closed
  churn        leaves at random times, every other time with GOAWAY 0, and comes back at once

Without --reconnect a client that the server sends away is lost. With it the client does what
docs/protocol.md says of the GOAWAY's code: after retry_after_ms if there is one, else after an
exponential backoff with full jitter (200 ms to 30 s). Clients that churn always reconnect; those
evicted as they expect never do.

To compare round trips in calm and storm, let the calm be at least one heartbeat long.

Latencies count from planned times, so a stall of the server is seen by every client it delays. That
of the TLS handshake alone counts from when the connection is established.

With --tls the summary and the JSON (tls, latency_us.tls_handshake) tell of the handshakes: how many
were full and how many resumed, their TLS versions, and why others failed. In TLS 1.3 a server judges
a client's certificate after the client is through: such a connection counts among the handshakes
and, by the server's alert, among the failed.

Exit code: 0 all as expected; 1 a client was lost, never welcomed, evicted before its deadline, not
evicted 2 s after it, or a PONG never came; 2 the arguments are wrong or the machine cannot hold it.)";

// Bounds that are told when they are broken rather than in the help.
// CLI::Range lets NaN pass.
template <class Number>
CLI::Validator within(Number low, Number high) {
  const auto check = [low, high](const std::string& text) -> std::string {
    Number value{};
    if (CLI::detail::lexical_cast(text, value) && value >= low && value <= high) return {};
    return fmt::format("'{}' is not a number from {} to {}", text, low, high);
  };
  return CLI::Validator(check, "");
}

// What is read as text and turned into something else afterwards.
struct RawOptions {
  std::vector<std::string> targets;
  std::string sources;
  std::string protocol = "native";
  std::string tls_version;
  double mute_after_s = 0;
  uint32_t mute_heartbeat_s = 0;
  bool no_goodbye = false;
};

struct Parser {
  CLI::App app{
      "Opens device connections to a Holdfast gateway, keeps them alive, and says what "
      "became of them.",
      "conn_flood"};
  Options options;
  RawOptions raw;

  Parser() {
    app.footer(kFooter);
    add_load();
    add_tls();
    add_behaviours();
    add_machine();
    add_output();
  }

  void add_load() {
    app.add_option("--target", raw.targets, "HOST:PORT, an address; several are taken in turn")
        ->type_name("HOST:PORT")
        ->required();
    app.add_option("--connections", options.connections, "how many clients")
        ->type_name("N")
        ->capture_default_str()
        ->check(within(1U, kConnectionsMax));
    app.add_option("--rate", options.rate_per_s,
                   "connects per second in total; 0: as fast as the target takes them")
        ->type_name("N")
        ->capture_default_str()
        ->check(within(0.0, 1e9));
    app.add_option("--duration", options.duration_s,
                   "seconds to hold them, from when all are connected; 0: until a signal")
        ->type_name("SECONDS")
        ->capture_default_str()
        ->check(within(0.0, 1e7));
    app.add_option("--heartbeat", options.heartbeat_s,
                   "seconds between PINGs to ask for; 0: the server decides")
        ->type_name("SECONDS")
        ->capture_default_str();
    app.add_option("--welcome-timeout", options.welcome_timeout_s,
                   "seconds from a connect to give up waiting for WELCOME")
        ->type_name("SECONDS")
        ->capture_default_str()
        ->check(within(0.1, 3600.0));
    app.add_option("--protocol", raw.protocol, "what to speak")
        ->type_name("NAME")
        ->capture_default_str()
        ->check(CLI::IsMember({"native"}).description("(only native yet)"));
    app.add_flag("--reconnect", options.reconnect, "come back after a loss or a GOAWAY");
    app.add_flag("--no-goodbye", raw.no_goodbye, "end by closing sockets, without GOAWAY 0");
  }

  void add_tls() {
    app.add_flag("--tls", options.tls.is_on, "secure every connection by TLS, ALPN holdfast/1");
    const auto add = [this](const char* name, std::string& value, const char* what) {
      return app.add_option(name, value, what)->type_name("FILE")->needs("--tls");
    };
    add("--ca", options.tls.ca_file,
        "verify the server's certificate against these; unless given: not at all");
    add("--cert", options.tls.cert_file,
        "certificate of every client, its chain behind it; {id} in the name stands for the "
        "device's id, and the file is then read at each connect");
    add("--key", options.tls.key_file, "the certificate's key; {id} as in --cert");
    add("--server-name", options.tls.server_name,
        "name to ask for and to verify; unless given: the target's address is verified")
        ->type_name("NAME");
    add("--tls-version", raw.tls_version, "offer only this version; unless given: both")
        ->type_name("1.2|1.3")
        ->check(CLI::IsMember({"1.2", "1.3"}).description(""));
    app.add_flag("--resume", options.tls.resumes,
                 "a client that comes back offers the ticket of its last connection")
        ->needs("--tls");
  }

  void add_behaviours() {
    const auto share = within(0.0, 1.0);
    app.add_option("--mute", options.shares.mute, "share of clients that fall silent")
        ->type_name("SHARE")
        ->check(share);
    app.add_option("--mute-after", raw.mute_after_s,
                   "seconds after its WELCOME that a client falls silent (mute and half-frame); "
                   "unless given: when all are connected and the calm is over")
        ->type_name("SECONDS")
        ->check(within(0.0, 86400.0));
    app.add_option("--mute-heartbeat", raw.mute_heartbeat_s,
                   "seconds between PINGs that mute and half-frame clients ask for; unless given: "
                   "as the others")
        ->type_name("SECONDS")
        ->check(within(0U, 65535U));
    app.add_option("--calm", options.calm_s,
                   "seconds from when all are connected that nobody misbehaves; round trips in "
                   "the calm and while clients are evicted are told apart")
        ->type_name("SECONDS")
        ->capture_default_str()
        ->check(within(0.0, 43200.0));
    app.add_option("--half-frame", options.shares.half_frame, "share that stop within a frame")
        ->type_name("SHARE")
        ->check(share);
    app.add_option("--slow-reader", options.shares.slow_reader, "share that stop reading")
        ->type_name("SHARE")
        ->check(share);
    app.add_option("--churn", options.shares.churn, "share that leave and come back")
        ->type_name("SHARE")
        ->check(share);
    app.add_option("--churn-life", options.churn_life_s, "mean seconds that a churner stays")
        ->type_name("SECONDS")
        ->capture_default_str()
        ->check(within(0.1, 43200.0));
    app.add_option("--seed", options.seed, "repeats a run's choices")
        ->type_name("N")
        ->capture_default_str();
  }

  void add_machine() {
    app.add_option("--sources", raw.sources,
                   "addresses to connect from, as 127.0.0.2-127.0.0.60,10.0.0.1; each has about "
                   "28,000 ports, 64,000 with a wide net.ipv4.ip_local_port_range. Unless given: "
                   "the kernel picks, or 127.0.0.2 and on when more than 2,000 go to loopback")
        ->type_name("LIST");
    app.add_option("--threads", options.threads, "threads in a process")
        ->type_name("N")
        ->capture_default_str()
        ->check(within(1U, 256U));
    app.add_option("--processes", options.processes,
                   "processes; 0: as many as the descriptor limit makes necessary")
        ->type_name("N")
        ->capture_default_str()
        ->check(within(0U, 1024U));
  }

  void add_output() {
    app.add_option("--json", options.json_file, "write counts and percentiles to this file")
        ->type_name("FILE");
    app.add_option("--id-prefix", options.id_prefix,
                   "start of every device id; two floods on one gateway need two prefixes")
        ->type_name("TEXT")
        ->capture_default_str();
    app.add_flag("--quiet", options.quiet, "no line a second, only the summary");
  }

  Status finish() {
    options.goodbye = !raw.no_goodbye;
    if (app.count("--mute-after") > 0) options.mute_after_s = raw.mute_after_s;
    if (app.count("--mute-heartbeat") > 0) {
      options.mute_heartbeat_s = static_cast<uint16_t>(raw.mute_heartbeat_s);
    }
    const BehaviourShares& shares = options.shares;
    if (shares.mute + shares.half_frame + shares.slow_reader + shares.churn > 1 + 1e-9) {
      return Status::error(
          "--mute, --half-frame, --slow-reader and --churn are more than 1 in sum");
    }
    if (options.id_prefix.size() > kIdPrefixBytesMax ||
        (!options.id_prefix.empty() && !native::is_valid_device_id(options.id_prefix))) {
      return Status::error("--id-prefix: up to " + std::to_string(kIdPrefixBytesMax) +
                           " characters of A-Z a-z 0-9 . _ : -");
    }
    const Status tls = finish_tls();
    return tls.is_ok() ? finish_addresses() : tls;
  }

  Status finish_tls() {
    TlsOptions& tls = options.tls;
    if (tls.cert_file.empty() != tls.key_file.empty()) {
      return Status::error("--cert and --key go together");
    }
    if (tls.server_name.size() > kServerNameBytesMax) {
      return Status::error("--server-name: up to " + std::to_string(kServerNameBytesMax) +
                           " characters");
    }
    if (raw.tls_version == "1.2") tls.version = TlsVersion::k12;
    if (raw.tls_version == "1.3") tls.version = TlsVersion::k13;
    return Status::ok();
  }

  Status finish_addresses() {
    for (const std::string& text : raw.targets) {
      const Result<Address> target = Address::parse(text);
      if (!target.is_ok()) return Status::error("--target: " + target.status().message());
      if (target.value().port() == 0) return Status::error("--target: '" + text + "' has port 0");
      options.targets.push_back(target.value());
    }
    if (raw.sources.empty()) return Status::ok();
    Result<std::vector<Address>> sources = parse_sources(raw.sources);
    if (!sources.is_ok()) return Status::error("--sources: " + sources.status().message());
    options.sources = std::move(sources.value());
    for (const Address& target : options.targets) {
      for (const Address& source : options.sources) {
        if (source.is_ipv4() != target.is_ipv4()) {
          return Status::error("--sources: " + source.host_text() + " cannot reach " +
                               target.text() + ": one is IPv4, the other IPv6");
        }
      }
    }
    return Status::ok();
  }
};

}  // namespace

std::variant<Options, ExitCode> parse_command_line(int argc, const char* const* argv) {
  Parser parser;
  try {
    parser.app.parse(argc, argv);
  } catch (const CLI::ParseError& stop) {
    const int code = parser.app.exit(stop);
    return ExitCode{code == 0 ? 0 : kUsageExitCode};
  }
  const Status status = parser.finish();
  if (!status.is_ok()) {
    std::cerr << status.message() << '\n';
    return ExitCode{kUsageExitCode};
  }
  return std::move(parser.options);
}

}  // namespace holdfast::flood
