#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "gateway/config_value.h"

// The part of TOML 1.0 (https://toml.io/en/v1.0.0) that settings can be written in, as a flat list
// of keys and values with their lines. Not read: tables in braces, texts over several lines, lists
// in lists. Any bytes are safe to give: a running gateway reads its file again.
namespace holdfast {

struct ConfigEntry {
  std::string key;  // "heartbeat.min_s"; a part that TOML would have to quote stands quoted
  std::optional<size_t> element;  // which one, below a repeated section such as [[listener]]
  uint32_t line = 0;
  ConfigValue value;
};

struct ConfigSyntaxError {
  uint32_t line = 0;
  std::string message;
};

// All entries in the order of their lines, or the first place that cannot be read.
std::variant<std::vector<ConfigEntry>, ConfigSyntaxError> parse_config_text(std::string_view text);

// One value such as `12`, `"text"` or `["a", "b"]`; none if `text` is not one.
std::optional<ConfigValue> parse_config_value(std::string_view text);

}  // namespace holdfast
