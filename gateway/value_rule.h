#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "common/status.h"
#include "gateway/config_text.h"

namespace holdfast {

enum class ValueKind : uint8_t {
  kFlag,
  kNumber,
  kChoice,
  kAddress,
  kName,       // 1 to 64 printable characters, no spaces
  kPath,       // may be empty: none
  kPaths,      // one path or a list of them
  kProtocols,  // one or more of the choices, each once
  kLater,      // a setting of a feature that this version does not have: one value only
};

// What values a setting takes.
struct ValueRule {
  ValueKind kind = ValueKind::kFlag;
  int64_t min = 0;
  int64_t max = 0;
  std::string_view unit;                      // of a number: "seconds"
  std::string_view zero_means;                // of a number for which 0 is special: "off"
  std::span<const std::string_view> choices;  // in the order of the enum; kLater: as TOML writes it
};

// The error shows the value and says what is allowed: "0 is not allowed: whole number of seconds, 1
// to 65535".
Status check_value(const ValueRule& rule, const ConfigValue& value);
std::string allowed_text(const ValueRule& rule);
// `--set` takes a value of this rule without quotes.
bool takes_bare_text(const ValueRule& rule);

}  // namespace holdfast
