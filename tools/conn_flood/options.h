#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/address.h"

namespace holdfast::flood {

// Shares of all clients, 0 to 1, together at most 1. The rest heartbeat and stay.
struct BehaviourShares {
  double mute = 0;
  double half_frame = 0;
  double slow_reader = 0;
  double churn = 0;
};

enum class TlsVersion : uint8_t { kAny, k12, k13 };

// How connections are secured. In the names of the certificate's and the key's file, {id} stands
// for the device's id.
struct TlsOptions {
  bool is_on = false;
  std::string ca_file;  // empty: the server's certificate is not verified
  std::string cert_file;
  std::string key_file;
  std::string server_name;  // empty: none is told, and the target's address is verified
  TlsVersion version = TlsVersion::kAny;
  bool resumes = false;  // a client that comes back offers its last ticket
};

// What a run is to do. `conn_flood --help` describes each.
struct Options {
  std::vector<Address> targets;
  uint32_t connections = 1000;
  double rate_per_s = 0;      // 0: as fast as the target takes them
  double duration_s = 30;     // from when all are connected; 0: until a signal
  uint16_t heartbeat_s = 30;  // asked for in HELLO; 0: the server decides
  double welcome_timeout_s = 30;
  BehaviourShares shares;
  std::optional<double> mute_after_s;        // from a client's WELCOME; none: when the calm is over
  std::optional<uint16_t> mute_heartbeat_s;  // asked for by those that will fall silent
  double calm_s = 0;                         // from when all are connected: nobody misbehaves
  double churn_life_s = 5;                   // a churning connection's mean life
  std::vector<Address> sources;              // empty: the kernel picks
  uint32_t threads = 1;
  uint32_t processes = 0;  // 0: as many as the descriptor limit makes necessary
  std::filesystem::path json_file;
  TlsOptions tls;
  std::string id_prefix = "flood-";
  uint64_t seed = 1;
  bool reconnect = false;
  bool goodbye = true;
  bool quiet = false;
};

struct ExitCode {
  int value;
};

// Reads the command line. When there is nothing to run (--help, or a wrong argument: told on
// standard error, exit code 2) gives the code to exit with.
[[nodiscard]] std::variant<Options, ExitCode> parse_command_line(int argc, const char* const* argv);

}  // namespace holdfast::flood
