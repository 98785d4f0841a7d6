#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/log.h"
#include "common/status.h"
#include "gateway/net/tls_policy.h"

// Every setting of the gateway, with its unit, default and bounds. docs/operations.md has the
// table.
namespace holdfast {

enum class WhenFull : uint8_t {
  kShedIdlest,  // close the session idle the longest (4004) for the newcomer
  kRefuse,      // answer the newcomer 4005 and close it
};

// Files of certificates, each with its key and its OCSP response in the lists beside it.
struct TlsFileOptions {
  std::vector<std::filesystem::path> cert_files;
  std::vector<std::filesystem::path> key_files;
  std::vector<std::filesystem::path> ocsp_files;  // empty: no responses; an empty path: not for it
  std::filesystem::path client_ca_file;

  bool operator==(const TlsFileOptions&) const = default;
};

enum class ListenerClientAuth : uint8_t {
  kInherit,  // tls.client_auth
  kOff,
  kOptional,
  kRequired,
};

// What a listener has of its own; what is left empty is that of TlsOptions.
struct ListenerTlsOptions {
  bool is_required = false;  // false: plain connections too
  TlsFileOptions files;      // the three lists are its own or not all together
  ListenerClientAuth client_auth = ListenerClientAuth::kInherit;

  bool operator==(const ListenerTlsOptions&) const = default;
};

struct ListenerOptions {
  Address bind;
  std::vector<std::string> protocols = {"native"};
  bool proxy_protocol = false;
  int backlog = 65535;
  ListenerTlsOptions tls;

  bool operator==(const ListenerOptions&) const = default;
};

struct HeartbeatOptions {
  uint16_t default_s = 30;  // granted to a device that asks for 0
  uint16_t min_s = 1;
  uint16_t max_s = 1800;
  uint8_t misses = 3;       // a session's timeout is its heartbeat times this
  uint32_t grace_ms = 500;  // beyond one silent heartbeat, before the server sends PING

  bool operator==(const HeartbeatOptions&) const = default;
};

struct LimitOptions {
  uint32_t connections_max = 0;  // 0: what the descriptor limit allows
  uint64_t memory_max_mib = 0;   // 0: off; what connections may cost in user memory
  WhenFull when_full = WhenFull::kShedIdlest;
  uint32_t per_address_max = 0;               // 0: off
  uint32_t accept_rate_per_s = 0;             // 0: off
  uint32_t accept_rate_per_subnet_per_s = 0;  // 0: off; a subnet is a /24 or a /64
  uint32_t hello_timeout_ms = 8000;
  uint32_t frame_max_bytes = 65536;
  uint32_t send_queue_max_bytes = 262144;
  uint32_t write_stall_ms = 30000;

  bool operator==(const LimitOptions&) const = default;
};

struct TlsOptions {
  TlsFileOptions files;
  TlsClientAuth client_auth = TlsClientAuth::kOff;
  DeviceIdSource device_id_from = DeviceIdSource::kAny;
  std::filesystem::path ticket_key_file;  // empty: keys of this process alone
  uint32_t handshake_timeout_ms = 5000;
  uint32_t handshakes_max = 1024;  // at the same time, in the whole process
  uint32_t idle_steps = 16;        // as many may go on while a loop does steps in idle moments

  bool operator==(const TlsOptions&) const = default;
};

struct Options {
  std::string node_id;       // the host's name unless set
  uint32_t loops_count = 0;  // 0: one a core
  bool loops_pin = true;
  std::vector<ListenerOptions> listeners;  // 127.0.0.1:7000 unless set
  HeartbeatOptions heartbeat;
  LimitOptions limits;
  TlsOptions tls;
  uint32_t tls_handshake_threads = 0;  // 0: half as many as cores
  Address admin_bind;                  // 127.0.0.1:7080 unless set
  std::filesystem::path admin_token_file;
  std::string admin_token;  // the file's first line, read when options are loaded
  uint32_t shutdown_grace_s = 10;
  log::Level log_level = log::Level::kInfo;
  log::Format log_format = log::Format::kText;

  bool operator==(const Options&) const = default;
};

// Reads `file` (none when empty), lets each `key=value` of `overrides` win over it, fills in
// defaults and checks bounds, types and what settings say together. An error names the file, the
// line and the key (or the --set), says what is wrong with it and what is allowed; all errors are
// told, a line each. Every listener and admin.bind may have port 0 (the system picks one).
Result<Options> load_options(const std::filesystem::path& file,
                             const std::vector<std::string>& overrides);

// Every setting with its value, in TOML that load_options() reads back to equal Options. The token
// itself is not in it, only its file.
std::string options_text(const Options& options);

// The keys whose values differ and that a running gateway cannot change (the loops, admin.bind,
// ...); "listener" stands for any difference in the listeners, but for their TLS.
std::vector<std::string> settings_that_need_restart(const Options& running, const Options& wanted);

}  // namespace holdfast
