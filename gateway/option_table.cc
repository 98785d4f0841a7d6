#include "gateway/option_table.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/check.h"
#include "gateway/net/accepted_socket.h"

namespace holdfast {
namespace {

constexpr int64_t kConnectionsMax = 16'777'216;
constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kHandshakeThreadsMax = 64;

constexpr std::string_view kWhenFull[] = {"shed_idlest", "refuse"};
constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
constexpr std::string_view kFormats[] = {"text", "json"};
constexpr std::string_view kProtocols[] = {"native"};
constexpr std::string_view kClientAuth[] = {"off", "optional", "required"};
constexpr std::string_view kListenerClientAuth[] = {"inherit", "off", "optional", "required"};
constexpr std::string_view kDeviceIdFrom[] = {"none", "cn", "san", "any"};
constexpr std::string_view kNone[] = {"\"none\""};
constexpr std::string_view kMemory[] = {"\"memory\""};

constexpr ValueRule number(int64_t min, int64_t max, std::string_view unit,
                           std::string_view zero_means = {}) {
  return {.kind = ValueKind::kNumber,
          .min = min,
          .max = max,
          .unit = unit,
          .zero_means = zero_means,
          .choices = {}};
}

constexpr ValueRule rule(ValueKind kind, std::span<const std::string_view> choices = {}) {
  return {.kind = kind, .min = 0, .max = 0, .unit = {}, .zero_means = {}, .choices = choices};
}

constexpr ValueRule kFlag = rule(ValueKind::kFlag);
constexpr ValueRule kAddress = rule(ValueKind::kAddress);
constexpr ValueRule kPath = rule(ValueKind::kPath);
constexpr ValueRule kPaths = rule(ValueKind::kPaths);
constexpr ValueRule kHeartbeat = number(1, 65535, "seconds");

// Between a field and its value in TOML; one pair a type of field.

void write_field(bool& field, const ConfigValue& value, const ValueRule&) {
  field = std::get<bool>(value);
}
ConfigValue read_field(bool field, const ValueRule&) { return field; }

template <class Number>
requires std::is_integral_v<Number>
void write_field(Number& field, const ConfigValue& value, const ValueRule&) {
  const int64_t wide = std::get<int64_t>(value);
  HF_CHECK(std::in_range<Number>(wide));
  field = static_cast<Number>(wide);
}
template <class Number>
requires std::is_integral_v<Number> ConfigValue read_field(const Number& field, const ValueRule&) {
  return static_cast<int64_t>(field);
}

template <class Choice>
requires std::is_enum_v<Choice>
void write_field(Choice& field, const ConfigValue& value, const ValueRule& choices) {
  const auto found = std::ranges::find(choices.choices, std::get<std::string>(value));
  field = static_cast<Choice>(found - choices.choices.begin());
}
template <class Choice>
requires std::is_enum_v<Choice> ConfigValue read_field(const Choice& field,
                                                       const ValueRule& choices) {
  return std::string(choices.choices[static_cast<size_t>(field)]);
}

void write_field(std::string& field, const ConfigValue& value, const ValueRule&) {
  field = std::get<std::string>(value);
}
ConfigValue read_field(const std::string& field, const ValueRule&) { return field; }

void write_field(std::filesystem::path& field, const ConfigValue& value, const ValueRule&) {
  field = std::get<std::string>(value);
}
ConfigValue read_field(const std::filesystem::path& field, const ValueRule&) {
  return field.string();
}

// Nothing but empty paths is no path at all, as "" is.
void write_field(std::vector<std::filesystem::path>& field, const ConfigValue& value,
                 const ValueRule&) {
  const auto* one = std::get_if<std::string>(&value);
  const auto paths =
      one != nullptr ? std::vector<std::string>{*one} : std::get<std::vector<std::string>>(value);
  field.assign(paths.begin(), paths.end());
  if (std::ranges::all_of(field, &std::filesystem::path::empty)) field.clear();
}
ConfigValue read_field(const std::vector<std::filesystem::path>& field, const ValueRule&) {
  if (field.empty()) return std::string();
  if (field.size() == 1) return field.front().string();
  std::vector<std::string> paths;
  for (const auto& path : field) paths.push_back(path.string());
  return paths;
}

void write_field(Address& field, const ConfigValue& value, const ValueRule&) {
  field = Address::parse(std::get<std::string>(value)).value();
}
ConfigValue read_field(const Address& field, const ValueRule&) { return field.text(); }

void write_field(std::vector<std::string>& field, const ConfigValue& value, const ValueRule&) {
  field = std::get<std::vector<std::string>>(value);
}
ConfigValue read_field(const std::vector<std::string>& field, const ValueRule&) { return field; }

// The member that a path of member pointers leads to.
template <auto First, auto... Rest>
auto& member(auto& object) {
  if constexpr (sizeof...(Rest) == 0) {
    return object.*First;
  } else {
    return member<Rest...>(object.*First);
  }
}

template <class Target, auto... Path>
constexpr Setting<Target> in(std::string_view key, Reload reload, ValueRule value_rule) {
  return {key, reload, value_rule,
          [](Target& target, const ConfigValue& value, const ValueRule& with) {
            write_field(member<Path...>(target), value, with);
          },
          [](const Target& target, const ValueRule& with) -> ConfigValue {
            return read_field(member<Path...>(target), with);
          }};
}

template <auto... Path>
constexpr Setting<Options> option(std::string_view key, Reload reload, ValueRule value_rule) {
  return in<Options, Path...>(key, reload, value_rule);
}

template <auto... Path>
constexpr Setting<ListenerOptions> listener(std::string_view key, Reload reload,
                                            ValueRule value_rule) {
  return in<ListenerOptions, Path...>(key, reload, value_rule);
}

// Known and checked, so that a config for a later version is refused for what it asks, not as
// unknown.
template <class Target>
constexpr Setting<Target> later(std::string_view key, std::span<const std::string_view> only) {
  return {key, Reload::kRestart, rule(ValueKind::kLater, only),
          [](Target&, const ConfigValue&, const ValueRule&) {},
          [](const Target&, const ValueRule& with) -> ConfigValue {
            return UnusableValue{std::string(with.choices.front())};
          }};
}

using enum Reload;
using H = HeartbeatOptions;
using L = LimitOptions;
constexpr auto kHeartbeatPart = &Options::heartbeat;
constexpr auto kLimitsPart = &Options::limits;
using T = TlsOptions;
using F = TlsFileOptions;
using LT = ListenerTlsOptions;
constexpr auto kTlsPart = &Options::tls;
constexpr auto kListenerTlsPart = &ListenerOptions::tls;

// clang-format off
constexpr Setting<Options> kSettings[] = {
    option<&Options::node_id>("node.id", kRestart, rule(ValueKind::kName)),
    option<&Options::loops_count>("loops.count", kRestart,
        number(0, kLoopsMax, "loops", "one a core")),
    option<&Options::loops_pin>("loops.pin", kRestart, kFlag),

    option<kHeartbeatPart, &H::default_s>("heartbeat.default_s", kLive, kHeartbeat),
    option<kHeartbeatPart, &H::min_s>("heartbeat.min_s", kLive, kHeartbeat),
    option<kHeartbeatPart, &H::max_s>("heartbeat.max_s", kLive, kHeartbeat),
    option<kHeartbeatPart, &H::misses>("heartbeat.misses", kLive, number(1, 100, "heartbeats")),
    option<kHeartbeatPart, &H::grace_ms>("heartbeat.grace_ms", kLive,
        number(0, 60'000, "milliseconds")),

    option<kLimitsPart, &L::connections_max>("limits.connections_max", kLive,
        number(0, kConnectionsMax, "connections", "what the descriptor limit allows")),
    option<kLimitsPart, &L::memory_max_mib>("limits.memory_max_mib", kLive,
        number(0, 16'777'216, "MiB", "off")),
    option<kLimitsPart, &L::when_full>("limits.when_full", kLive,
        rule(ValueKind::kChoice, kWhenFull)),
    option<kLimitsPart, &L::per_address_max>("limits.per_address_max", kLive,
        number(0, kConnectionsMax, "connections", "off")),
    option<kLimitsPart, &L::accept_rate_per_s>("limits.accept_rate_per_s", kLive,
        number(0, 10'000'000, "connections a second", "off")),
    option<kLimitsPart, &L::accept_rate_per_subnet_per_s>(
        "limits.accept_rate_per_subnet_per_s", kLive,
        number(0, 10'000'000, "connections a second", "off")),
    option<kLimitsPart, &L::hello_timeout_ms>("limits.hello_timeout_ms", kLive,
        number(100, 600'000, "milliseconds")),
    option<kLimitsPart, &L::frame_max_bytes>("limits.frame_max_bytes", kLive,
        number(1024, 16'777'216, "bytes")),
    option<kLimitsPart, &L::send_queue_max_bytes>("limits.send_queue_max_bytes", kLive,
        number(1024, 1'073'741'824, "bytes")),
    option<kLimitsPart, &L::write_stall_ms>("limits.write_stall_ms", kLive,
        number(100, kDayMs, "milliseconds")),

    option<kTlsPart, &T::files, &F::cert_files>("tls.cert_file", kLive, kPaths),
    option<kTlsPart, &T::files, &F::key_files>("tls.key_file", kLive, kPaths),
    option<kTlsPart, &T::files, &F::ocsp_files>("tls.ocsp_file", kLive, kPaths),
    option<kTlsPart, &T::files, &F::client_ca_file>("tls.client_ca_file", kLive, kPath),
    option<kTlsPart, &T::client_auth>("tls.client_auth", kLive,
        rule(ValueKind::kChoice, kClientAuth)),
    option<kTlsPart, &T::device_id_from>("tls.device_id_from", kLive,
        rule(ValueKind::kChoice, kDeviceIdFrom)),
    option<kTlsPart, &T::ticket_key_file>("tls.ticket_key_file", kLive, kPath),
    option<kTlsPart, &T::handshake_timeout_ms>("tls.handshake_timeout_ms", kLive,
        number(100, 600'000, "milliseconds")),
    option<kTlsPart, &T::handshakes_max>("tls.handshakes_max", kLive,
        number(1, 1'000'000, "handshakes at the same time")),
    option<kTlsPart, &T::idle_steps>("tls.idle_steps", kLive, number(0, 1024, "steps")),
    option<&Options::tls_handshake_threads>("tls.handshake_threads", kRestart,
        number(0, kHandshakeThreadsMax, "threads", "half as many as cores")),

    option<&Options::admin_bind>("admin.bind", kRestart, kAddress),
    option<&Options::admin_token_file>("admin.token_file", kLive, kPath),
    option<&Options::shutdown_grace_s>("shutdown.grace_s", kLive, number(0, 3600, "seconds")),
    option<&Options::log_level>("log.level", kLive, rule(ValueKind::kChoice, kLevels)),
    option<&Options::log_format>("log.format", kRestart, rule(ValueKind::kChoice, kFormats)),

    later<Options>("auth.kind", kNone),
    later<Options>("engine.kind", kMemory),
};

constexpr Setting<ListenerOptions> kListenerSettings[] = {
    listener<&ListenerOptions::bind>("listener.bind", kRestart, kAddress),
    listener<&ListenerOptions::protocols>("listener.protocols", kRestart,
        rule(ValueKind::kProtocols, kProtocols)),
    listener<&ListenerOptions::proxy_protocol>("listener.proxy_protocol", kRestart, kFlag),
    listener<&ListenerOptions::backlog>("listener.backlog", kRestart,
        number(1, 1'048'576, "connections")),
    listener<kListenerTlsPart, &LT::is_required>("listener.tls", kLive, kFlag),
    listener<kListenerTlsPart, &LT::files, &F::cert_files>("listener.cert_file", kLive, kPaths),
    listener<kListenerTlsPart, &LT::files, &F::key_files>("listener.key_file", kLive, kPaths),
    listener<kListenerTlsPart, &LT::files, &F::ocsp_files>("listener.ocsp_file", kLive, kPaths),
    listener<kListenerTlsPart, &LT::files, &F::client_ca_file>("listener.client_ca_file", kLive,
        kPath),
    listener<kListenerTlsPart, &LT::client_auth>("listener.client_auth", kLive,
        rule(ValueKind::kChoice, kListenerClientAuth)),
};
// clang-format on

std::string_view section_of(std::string_view key) { return key.substr(0, key.find('.')); }

std::string_view leaf_of(std::string_view key) { return key.substr(key.rfind('.') + 1); }

// Levenshtein's distance, in one row.
size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replace = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replace, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::vector<std::string_view> all_keys() {
  std::vector<std::string_view> keys;
  for (const auto& setting : kSettings) keys.push_back(setting.key);
  for (const auto& setting : kListenerSettings) keys.push_back(setting.key);
  return keys;
}

template <class Target>
const Setting<Target>* find_in(std::span<const Setting<Target>> table, std::string_view key) {
  const auto found = std::ranges::find(table, key, &Setting<Target>::key);
  return found == table.end() ? nullptr : &*found;
}

}  // namespace

std::span<const Setting<Options>> settings() { return kSettings; }

std::span<const Setting<ListenerOptions>> listener_settings() { return kListenerSettings; }

const Setting<Options>* find_setting(std::string_view key) { return find_in(settings(), key); }

const Setting<ListenerOptions>* find_listener_setting(std::string_view key) {
  return find_in(listener_settings(), key);
}

bool is_section(std::string_view name) {
  return std::ranges::any_of(
      all_keys(), [name](std::string_view key) { return section_of(key) == name && key != name; });
}

std::string_view nearest_key(std::string_view key) {
  constexpr size_t kKeyBytesMax = 128;  // the distance costs the product of both lengths
  if (key.size() > kKeyBytesMax) return {};
  const std::vector<std::string_view> keys = all_keys();
  const auto nearest = std::ranges::min_element(
      keys, {}, [key](std::string_view known) { return edits_between(key, known); });
  if (edits_between(key, *nearest) <= std::max<size_t>(2, key.size() / 4)) return *nearest;
  // The right name in the wrong section, or in none.
  const auto by_leaf = std::ranges::find(keys, leaf_of(key), leaf_of);
  return by_leaf == keys.end() ? std::string_view{} : *by_leaf;
}

}  // namespace holdfast
