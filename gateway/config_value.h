#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace holdfast {

// A section without keys: `[heartbeat]` with nothing below it.
struct EmptyTable {
  bool operator==(const EmptyTable&) const = default;
};

// A value of a kind that no setting has (a fraction, a date, a number beyond 64 bits, a word
// without quotes); `text` shows it.
struct UnusableValue {
  std::string text;
  bool operator==(const UnusableValue&) const = default;
};

using ConfigValue =
    std::variant<bool, int64_t, std::string, std::vector<std::string>, EmptyTable, UnusableValue>;

// What a word without quotes stands for: `true`, `12`, `0x1F`, `1_000`; anything else is unusable.
ConfigValue value_of_word(std::string_view word);

// `value` as TOML writes it, escaped, so that it stands on one line. Long texts are not cut.
std::string config_value_text(const ConfigValue& value);
std::string quoted_text(std::string_view text);
// "[a, b]" of items that are TOML already.
std::string list_text(const std::vector<std::string>& items);

}  // namespace holdfast
