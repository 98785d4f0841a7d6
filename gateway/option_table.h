#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "gateway/config_text.h"
#include "gateway/options.h"
#include "gateway/value_rule.h"

// The one list of settings: parsing, `--set`, error texts, printing and the comparison at a reload
// all read it. Defaults are those of the structs in options.h.
namespace holdfast {

enum class Reload : uint8_t {
  kLive,     // SIGHUP changes it in a running gateway
  kRestart,  // named and left alone at SIGHUP
};

// One setting of an Options or a ListenerOptions.
template <class Target>
struct Setting {
  std::string_view key;
  Reload reload = Reload::kRestart;
  ValueRule rule;
  void (*write)(Target&, const ConfigValue&, const ValueRule&);  // only what check_value() accepted
  ConfigValue (*read)(const Target&, const ValueRule&);
};

// In the order in which they are printed. Listener keys begin with "listener.".
std::span<const Setting<Options>> settings();
std::span<const Setting<ListenerOptions>> listener_settings();

// Null if there is no such setting.
const Setting<Options>* find_setting(std::string_view key);
const Setting<ListenerOptions>* find_listener_setting(std::string_view key);

// "heartbeat" for a section that holds settings, "listener" included.
bool is_section(std::string_view name);
// The known key most like `key`, or empty if none is near.
std::string_view nearest_key(std::string_view key);

}  // namespace holdfast
