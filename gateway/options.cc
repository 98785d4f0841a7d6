#include "gateway/options.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "common/small_file.h"
#include "gateway/config_text.h"
#include "gateway/option_rules.h"
#include "gateway/option_table.h"
#include "gateway/token_file.h"

namespace holdfast {
namespace {

constexpr size_t kConfigBytesMax = 262'144;
constexpr size_t kListenersMax = 64;
constexpr size_t kErrorsMax = 100;  // a file of another kind would be nothing but errors
constexpr std::string_view kListenerSection = "listener";

// An entry and the words that an error about it begins with.
struct PlacedEntry {
  ConfigEntry entry;
  std::string origin;  // "holdfast.toml:12: heartbeat.min_s" or "--set heartbeat.min_s"
};

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

ListenerOptions default_listener() {
  ListenerOptions listener;
  listener.bind = Address::from_ipv4({127, 0, 0, 1}, 7000);
  return listener;
}

Options default_options() {
  Options options;
  options.node_id = host_name();
  options.admin_bind = Address::from_ipv4({127, 0, 0, 1}, 7080);
  return options;
}

bool is_listener_key(std::string_view key) {
  return key.starts_with(kListenerSection) &&
         (key.size() == kListenerSection.size() || key[kListenerSection.size()] == '.');
}

// Builds Options out of entries, one after the other, and keeps every error.
class OptionsBuilder final {
 public:
  void add_file(const std::filesystem::path& file);
  void add_override(const std::string& assignment);
  Result<Options> finish();

 private:
  void add(const PlacedEntry& placed);
  void add_listener(const PlacedEntry& placed);
  void refuse_unknown(const PlacedEntry& placed);
  template <class Target>
  void set(Target& target, const Setting<Target>& setting, const PlacedEntry& placed);
  ListenerOptions* listener_of(const PlacedEntry& placed);

  void check_node_id();
  void fit_defaults();
  void read_token();
  void refuse_breach(const RuleBreach& breach);
  void refuse(const std::string& origin, const std::string& text) {
    errors_.push_back(origin + ": " + text);
  }

  Options options_ = default_options();
  std::map<std::string, std::string> origins_;  // by key; a listener's by numbered_key()
  std::set<std::string> refused_;               // by key, as above
  std::vector<std::string> errors_;
  bool is_file_unread_ = false;  // not readable, or not TOML
  bool is_cut_ = false;          // there are more errors than those kept
  size_t file_listeners_ = 0;
};

void OptionsBuilder::add_file(const std::filesystem::path& file) {
  const Result<std::string> text = read_small_file(file, kConfigBytesMax, FilePrivacy::kAny);
  if (!text.is_ok()) {
    errors_.push_back(text.status().message());
    is_file_unread_ = true;
    return;
  }
  auto parsed = parse_config_text(text.value());
  if (const auto* error = std::get_if<ConfigSyntaxError>(&parsed)) {
    refuse(file.string() + ":" + std::to_string(error->line), error->message);
    is_file_unread_ = true;
    return;
  }
  for (ConfigEntry& entry : std::get<std::vector<ConfigEntry>>(parsed)) {
    std::string origin = file.string() + ":" + std::to_string(entry.line) + ": " + entry.key;
    add({std::move(entry), std::move(origin)});
  }
  file_listeners_ = options_.listeners.size();
}

// The value of `--set key=text`: bare text where the key takes text, TOML elsewhere.
std::optional<ConfigValue> override_value(const ValueRule& rule, const std::string& text) {
  const bool is_quoted = text.starts_with('"') || text.starts_with('\'');
  if (takes_bare_text(rule) && !is_quoted) return ConfigValue(text);
  const bool is_list = text.starts_with('[');
  const bool is_list_kind = rule.kind == ValueKind::kProtocols || rule.kind == ValueKind::kPaths;
  if (is_list_kind && !is_quoted && !is_list) {
    return ConfigValue(std::vector<std::string>{text});
  }
  return parse_config_value(text);
}

void OptionsBuilder::add_override(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    refuse("--set " + assignment, "write key=value, such as heartbeat.min_s=5");
    return;
  }
  const std::string key = assignment.substr(0, equals);
  const std::string text = assignment.substr(equals + 1);
  const std::string origin = "--set " + key;
  const auto* setting = find_setting(key);
  const auto* listener_setting = find_listener_setting(key);
  const ValueRule rule = setting != nullptr            ? setting->rule
                         : listener_setting != nullptr ? listener_setting->rule
                                                       : ValueRule{};
  const auto value = override_value(rule, text);
  // What is not TOML is refused like any value of a wrong type, and shown on one line.
  const UnusableValue not_toml{config_value_text(ConfigValue(text))};
  add({{key, std::nullopt, 0, value.value_or(not_toml)}, origin});
}

void OptionsBuilder::add(const PlacedEntry& placed) {
  is_cut_ = errors_.size() >= kErrorsMax;
  if (is_cut_) return;
  const ConfigEntry& entry = placed.entry;
  if (is_listener_key(entry.key)) return add_listener(placed);
  const auto* setting = find_setting(entry.key);
  if (setting == nullptr) return refuse_unknown(placed);
  if (entry.element.has_value()) {
    return refuse(placed.origin, "stands in a list of tables: write the section once, in [ ]");
  }
  origins_[entry.key] = placed.origin;
  set(options_, *setting, placed);
}

void OptionsBuilder::refuse_unknown(const PlacedEntry& placed) {
  const std::string& key = placed.entry.key;
  if (is_section(key)) {
    if (std::holds_alternative<EmptyTable>(placed.entry.value)) return;
    return refuse(placed.origin, "is a section, not a setting: write [" + key + "]");
  }
  const std::string_view nearest = nearest_key(key);
  refuse(placed.origin, nearest.empty()
                            ? "unknown setting"
                            : "unknown setting: did you mean " + std::string(nearest) + "?");
}

template <class Target>
void OptionsBuilder::set(Target& target, const Setting<Target>& setting,
                         const PlacedEntry& placed) {
  const Status checked = check_value(setting.rule, placed.entry.value);
  if (checked.is_ok()) {
    setting.write(target, placed.entry.value, setting.rule);
    return;
  }
  refused_.insert(placed.entry.element ? numbered_key(setting.key, *placed.entry.element)
                                       : std::string(setting.key));
  refuse(placed.origin, checked.message());
}

// The listener that an entry speaks of; a new one where it is the first to do so.
ListenerOptions* OptionsBuilder::listener_of(const PlacedEntry& placed) {
  const size_t number = *placed.entry.element;
  if (number >= kListenersMax) {
    if (number == kListenersMax) {
      refuse(placed.origin, "at most " + std::to_string(kListenersMax) + " listeners are allowed");
    }
    return nullptr;
  }
  while (options_.listeners.size() <= number) options_.listeners.push_back(default_listener());
  // The place to name should its default bind be refused; the bind's own line comes to replace it.
  origins_.try_emplace(numbered_key("listener.bind", number), placed.origin);
  return &options_.listeners[number];
}

void OptionsBuilder::add_listener(const PlacedEntry& given) {
  PlacedEntry placed = given;
  const std::string& key = placed.entry.key;
  if (!placed.entry.element.has_value()) placed.entry.element = 0;
  if (file_listeners_ > 1) {
    return refuse(placed.origin, "the file has " + std::to_string(file_listeners_) +
                                     " listeners: --set can edit one only if it stands alone");
  }
  const auto* setting = find_listener_setting(key);
  const bool is_empty_table = std::holds_alternative<EmptyTable>(placed.entry.value);
  if (setting == nullptr && key == kListenerSection && !is_empty_table) {
    return refuse(placed.origin, "is a list of sections: write [[listener]] for each");
  }
  if (setting == nullptr && !is_empty_table) return refuse_unknown(placed);
  ListenerOptions* const listener = listener_of(placed);
  if (listener == nullptr || setting == nullptr) return;
  origins_[numbered_key(key, *placed.entry.element)] = placed.origin;
  set(*listener, *setting, placed);
}

// Told at the first of the breach's keys that was set.
void OptionsBuilder::refuse_breach(const RuleBreach& breach) {
  const std::string* origin = nullptr;
  for (const std::string& key : breach.keys) {
    // Refused already: its value is not known, and a second error may be a false one.
    if (refused_.contains(key)) return;
    const auto found = origins_.find(key);
    if (origin == nullptr && found != origins_.end()) origin = &found->second;
  }
  refuse(origin != nullptr ? *origin : breach.keys.front(), breach.text);
}

// The host's name is the one default that the machine makes, and may make unusable.
void OptionsBuilder::check_node_id() {
  if (origins_.contains("node.id")) return;
  const Status checked = check_value(find_setting("node.id")->rule, ConfigValue(options_.node_id));
  if (!checked.is_ok()) refuse("node.id", "the host's name cannot be it: " + checked.message());
}

// A default gives way to what was set: whoever lowers heartbeat.max_s alone means every heartbeat.
void OptionsBuilder::fit_defaults() {
  HeartbeatOptions& heartbeat = options_.heartbeat;
  if (!origins_.contains("heartbeat.default_s") && heartbeat.min_s <= heartbeat.max_s) {
    heartbeat.default_s = std::clamp(heartbeat.default_s, heartbeat.min_s, heartbeat.max_s);
  }
  LimitOptions& limits = options_.limits;
  if (!origins_.contains("limits.send_queue_max_bytes")) {
    limits.send_queue_max_bytes = std::max(limits.send_queue_max_bytes, limits.frame_max_bytes);
  }
}

void OptionsBuilder::read_token() {
  const bool is_wanted =
      !options_.admin_token_file.empty() && !refused_.contains("admin.token_file");
  if (!is_wanted) return;
  Result<std::string> token = read_token_file(options_.admin_token_file);
  if (token.is_ok()) {
    options_.admin_token = std::move(token.value());
  } else {
    refuse(origins_["admin.token_file"], token.status().message());
  }
}

Result<Options> OptionsBuilder::finish() {
  if (options_.listeners.empty()) options_.listeners.push_back(default_listener());
  check_node_id();
  fit_defaults();
  read_token();
  // Without the file's settings nothing is known of what they would say together.
  if (!is_file_unread_) {
    for (const RuleBreach& breach : find_breaches(options_)) refuse_breach(breach);
  }
  if (errors_.empty()) return std::move(options_);
  std::string all;
  for (const std::string& error : errors_) all += (all.empty() ? "" : "\n") + error;
  if (is_cut_) all += "\nfurther errors are not shown";
  return Status::error(std::move(all));
}

template <class Target>
void append_settings(std::string& text, std::span<const Setting<Target>> table,
                     std::string_view prefix, const Target& target) {
  for (const Setting<Target>& setting : table) {
    if (setting.rule.kind == ValueKind::kLater) continue;
    text += setting.key.substr(prefix.size());
    text += " = " + config_value_text(setting.read(target, setting.rule)) + "\n";
  }
}

// A listener's TLS can change while it runs; where it stands and what it speaks cannot.
bool do_listeners_need_restart(const std::vector<ListenerOptions>& running,
                               const std::vector<ListenerOptions>& wanted) {
  return !std::ranges::equal(running, wanted, [](const auto& now, const auto& then) {
    return std::ranges::all_of(listener_settings(), [&](const auto& setting) {
      return setting.reload == Reload::kLive ||
             setting.read(now, setting.rule) == setting.read(then, setting.rule);
    });
  });
}

}  // namespace

Result<Options> load_options(const std::filesystem::path& file,
                             const std::vector<std::string>& overrides) {
  OptionsBuilder builder;
  if (!file.empty()) builder.add_file(file);
  for (const std::string& assignment : overrides) builder.add_override(assignment);
  return builder.finish();
}

std::string options_text(const Options& options) {
  std::string text;
  append_settings(text, settings(), "", options);
  for (const ListenerOptions& listener : options.listeners) {
    text += "\n[[listener]]\n";
    append_settings(text, listener_settings(), "listener.", listener);
  }
  return text;
}

std::vector<std::string> settings_that_need_restart(const Options& running, const Options& wanted) {
  std::vector<std::string> keys;
  for (const Setting<Options>& setting : settings()) {
    const bool differs = setting.read(running, setting.rule) != setting.read(wanted, setting.rule);
    if (differs && setting.reload == Reload::kRestart) keys.emplace_back(setting.key);
  }
  if (do_listeners_need_restart(running.listeners, wanted.listeners)) {
    keys.emplace_back(kListenerSection);
  }
  return keys;
}

}  // namespace holdfast
