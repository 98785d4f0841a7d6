#include "gateway/option_rules.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "gateway/listener_tls.h"

namespace holdfast {
namespace {

constexpr uint32_t kTimeoutMaxS = 65'535;  // WELCOME tells it in 16 bits

std::string with_value(const char* key, uint64_t value) {
  return std::string(key) + " (" + std::to_string(value) + ")";
}

void require(std::vector<RuleBreach>& breaches, bool holds, std::vector<std::string> keys,
             std::string text) {
  if (!holds) breaches.push_back({std::move(keys), std::move(text)});
}

void check_heartbeat(const HeartbeatOptions& heartbeat, std::vector<RuleBreach>& breaches) {
  const std::string min = with_value("heartbeat.min_s", heartbeat.min_s);
  const std::string max = with_value("heartbeat.max_s", heartbeat.max_s);
  const std::string middle = with_value("heartbeat.default_s", heartbeat.default_s);
  const std::string misses = with_value("heartbeat.misses", heartbeat.misses);
  const bool is_ordered = heartbeat.min_s <= heartbeat.max_s;
  require(breaches, is_ordered, {"heartbeat.min_s", "heartbeat.max_s"},
          min + " is above " + max + ": it may be equal at most");
  const bool is_between =
      heartbeat.min_s <= heartbeat.default_s && heartbeat.default_s <= heartbeat.max_s;
  require(breaches, !is_ordered || is_between,
          {"heartbeat.default_s", "heartbeat.min_s", "heartbeat.max_s"},
          middle + " is not between " + min + " and " + max + ", where it must lie");
  require(breaches, uint32_t{heartbeat.max_s} * heartbeat.misses <= kTimeoutMaxS,
          {"heartbeat.misses", "heartbeat.max_s"},
          max + " times " + misses + " is too long a timeout: at most " +
              std::to_string(kTimeoutMaxS) + " seconds are allowed");
}

void check_memory(const LimitOptions& limits, std::vector<RuleBreach>& breaches) {
  const std::string queue = with_value("limits.send_queue_max_bytes", limits.send_queue_max_bytes);
  const std::string frame = with_value("limits.frame_max_bytes", limits.frame_max_bytes);
  require(breaches, limits.send_queue_max_bytes >= limits.frame_max_bytes,
          {"limits.send_queue_max_bytes", "limits.frame_max_bytes"},
          queue + " is less than " + frame + ": a queue must hold the largest frame");
  const uint64_t one_connection = uint64_t{limits.send_queue_max_bytes} + limits.frame_max_bytes;
  const bool fits =
      limits.memory_max_mib == 0 || limits.memory_max_mib * 1024 * 1024 >= one_connection;
  require(breaches, fits,
          {"limits.memory_max_mib", "limits.send_queue_max_bytes", "limits.frame_max_bytes"},
          with_value("limits.memory_max_mib", limits.memory_max_mib) +
              " is less than one connection may need: at least " + queue + " and " + frame +
              " together, or 0 (off)");
}

// Port 0 is never taken: the system picks another for each.
void check_binds(const Options& options, std::vector<RuleBreach>& breaches) {
  std::set<Address> taken;
  if (options.admin_bind.port() != 0) taken.insert(options.admin_bind);
  for (size_t i = 0; i < options.listeners.size(); ++i) {
    const Address& bind = options.listeners[i].bind;
    const bool is_free = bind.port() == 0 || taken.insert(bind).second;
    require(breaches, is_free, {numbered_key("listener.bind", i), "admin.bind"},
            "listener.bind " + bind.text() +
                " is taken by another listener or by admin.bind: each needs its own");
  }
}

void check_admin(const Options& options, std::vector<RuleBreach>& breaches) {
  const bool is_guarded = options.admin_bind.is_loopback() || !options.admin_token_file.empty();
  require(breaches, is_guarded, {"admin.bind", "admin.token_file"},
          options.admin_bind.text() +
              " is not a loopback address: admin.token_file must name a file with a token");
}

// The files of [tls], or those that listener number `listener` has of its own.
void check_tls_files(const TlsFileOptions& files, std::optional<size_t> listener,
                     std::vector<RuleBreach>& breaches) {
  const std::string section = listener ? "listener." : "tls.";
  const auto key = [&](const char* leaf) {
    return listener ? numbered_key(section + leaf, *listener) : section + leaf;
  };
  const auto names = [&](const char* leaf, size_t count) {
    return section + leaf + " names " + std::to_string(count) + (count == 1 ? " file" : " files");
  };
  const size_t certificates = files.cert_files.size();
  const size_t keys = files.key_files.size();
  const size_t responses = files.ocsp_files.size();
  require(breaches, keys == certificates, {key("key_file"), key("cert_file")},
          names("key_file", keys) + ", and " + names("cert_file", certificates) +
              ": each certificate needs its key, in the same order");
  require(breaches, responses == 0 || responses == certificates,
          {key("ocsp_file"), key("cert_file")},
          names("ocsp_file", responses) + ", and " + names("cert_file", certificates) +
              ": one is needed for each, in the same order, \"\" where there is none");
  const auto has_empty = [](const std::vector<std::filesystem::path>& paths) {
    return std::ranges::any_of(paths, &std::filesystem::path::empty);
  };
  require(breaches, !has_empty(files.cert_files) && !has_empty(files.key_files),
          {key("cert_file"), key("key_file")},
          "an empty path stands among the files: name a certificate and a key in each place");
}

// What the settings of a listener and those of [tls] together ask of clients.
void check_client_auth(const Options& options, size_t number, std::vector<RuleBreach>& breaches) {
  const ListenerOptions& listener = options.listeners[number];
  const TlsContextSettings tls = effective_tls(options, listener);
  const bool is_own = listener.tls.client_auth != ListenerClientAuth::kInherit;
  const std::string name = is_own ? "listener.client_auth" : "tls.client_auth";
  const std::string key = is_own ? numbered_key(name, number) : name;
  const bool is_on = tls.client_auth != TlsClientAuth::kOff;
  RuleBreach no_authority{{key, "tls.client_ca_file"},
                          name +
                              " asks for certificates, and there is nothing to check them "
                              "with: name the authority's file in tls.client_ca_file" +
                              (is_own ? " or listener.client_ca_file" : "")};
  // What several listeners inherit is one fault.
  const bool is_told = std::ranges::find(breaches, no_authority) != breaches.end();
  if (is_on && tls.client_ca.empty() && !is_told) breaches.push_back(std::move(no_authority));
  const bool fails_open = tls.client_auth == TlsClientAuth::kRequired && !listener.tls.is_required;
  require(breaches, !fails_open, {numbered_key("listener.tls", number), key},
          "the listener on " + listener.bind.text() +
              " takes plain connections too, which show no certificate, and " + name +
              " is \"required\": set listener.tls = true, or listener.client_auth = \"off\"");
}

void check_tls(const Options& options, std::vector<RuleBreach>& breaches) {
  check_tls_files(options.tls.files, std::nullopt, breaches);
  for (size_t i = 0; i < options.listeners.size(); ++i) {
    const ListenerOptions& listener = options.listeners[i];
    check_tls_files(listener.tls.files, i, breaches);
    const bool has_certificate =
        !listener.tls.files.cert_files.empty() || !options.tls.files.cert_files.empty();
    require(breaches, !listener.tls.is_required || has_certificate,
            {numbered_key("listener.tls", i), "tls.cert_file"},
            "listener.tls is true, and there is no certificate: set tls.cert_file and "
            "tls.key_file");
    check_client_auth(options, i, breaches);
  }
}

}  // namespace

std::vector<RuleBreach> find_breaches(const Options& options) {
  std::vector<RuleBreach> breaches;
  check_heartbeat(options.heartbeat, breaches);
  check_memory(options.limits, breaches);
  check_binds(options, breaches);
  check_admin(options, breaches);
  check_tls(options, breaches);
  return breaches;
}

std::string numbered_key(std::string_view key, size_t listener) {
  return std::string(key) + "#" + std::to_string(listener);
}

}  // namespace holdfast
