#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// What each kernel setting should be for a number of connections. The profiles in sysctl/ have the
// same keys and the long reasons; a test holds the two together.
namespace holdfast {

// How a setting's numbers are held against the ones needed, field by field.
enum class Compare : uint8_t {
  kAtLeast,
  kAtMost,
  kExactly,
};

struct SysctlRule {
  std::string_view key;
  Compare compare;
  // The numbers needed to hold `connections`, as many as the setting has fields.
  std::vector<uint64_t> (*needed)(uint64_t connections);
  bool is_fatal;  // the connections will not hold (fail) rather than hold less well (warn)
  // Below this many connections the kernel's own value is good enough.
  uint64_t from_connections;
  std::string_view why;  // what goes wrong otherwise: one line
};

std::span<const SysctlRule> sysctl_rules();

// Every key that the doctor looks at: those of the rules and those that need more than a rule.
std::vector<std::string_view> sysctl_keys();

// "4096 131072 6291456" to three numbers; nothing when a word is not a number.
std::optional<std::vector<uint64_t>> parse_numbers(std::string_view text);

// Whether `found` is as `rule` wants it for `connections`. A field too few is not.
bool is_satisfied(const SysctlRule& rule, uint64_t connections, std::span<const uint64_t> found);

// The value that mends: the fields that will do stay, the others become what is needed.
std::string mended_value(const SysctlRule& rule, uint64_t connections,
                         std::span<const uint64_t> found);

}  // namespace holdfast
