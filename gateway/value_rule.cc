#include "gateway/value_rule.h"

#include <algorithm>
#include <vector>

#include "common/address.h"

namespace holdfast {
namespace {

constexpr size_t kNameBytesMax = 64;
constexpr size_t kShownBytesMax = 80;
constexpr size_t kPathsMax = 64;

// A value for an error's text: on one line and not longer than a line should be.
std::string shown(const ConfigValue& value) {
  std::string text = config_value_text(value);
  if (text.size() <= kShownBytesMax) return text;
  size_t end = kShownBytesMax;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

Status not_allowed(const ValueRule& rule, const ConfigValue& value) {
  return Status::error(shown(value) + " is not allowed: " + allowed_text(rule));
}

Status no_such_support(const ValueRule& rule, const std::string& value) {
  return Status::error(value + " is not supported by this version: " + allowed_text(rule));
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= kNameBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7F; });
}

bool is_path(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

Status check_protocols(const ValueRule& rule, const ConfigValue& value) {
  const auto* names = std::get_if<std::vector<std::string>>(&value);
  if (names == nullptr || names->empty()) return not_allowed(rule, value);
  for (auto name = names->begin(); name != names->end(); ++name) {
    if (std::ranges::find(rule.choices, *name) == rule.choices.end()) {
      return no_such_support(rule, shown(*name));
    }
    if (std::find(names->begin(), name, *name) != name) return not_allowed(rule, value);
  }
  return Status::ok();
}

bool are_paths(const ConfigValue& value) {
  if (const auto* one = std::get_if<std::string>(&value)) return is_path(*one);
  const auto* several = std::get_if<std::vector<std::string>>(&value);
  return several != nullptr && several->size() <= kPathsMax &&
         std::ranges::all_of(*several, is_path);
}

bool is_text_allowed(const ValueRule& rule, std::string_view text) {
  switch (rule.kind) {
    case ValueKind::kChoice:
      return std::ranges::find(rule.choices, text) != rule.choices.end();
    case ValueKind::kAddress:
      return Address::parse(text).is_ok();
    case ValueKind::kName:
      return is_name(text);
    case ValueKind::kPath:
      return is_path(text);
    default:
      return false;
  }
}

std::string number_text(const ValueRule& rule) {
  std::string text = "whole number of " + std::string(rule.unit) + ", " + std::to_string(rule.min) +
                     " to " + std::to_string(rule.max);
  if (!rule.zero_means.empty()) text += " (0: " + std::string(rule.zero_means) + ")";
  return text;
}

std::string choices_text(const ValueRule& rule) {
  std::string text;
  for (const std::string_view choice : rule.choices) {
    text += (text.empty() ? "\"" : ", \"") + std::string(choice) + "\"";
  }
  return text;
}

}  // namespace

Status check_value(const ValueRule& rule, const ConfigValue& value) {
  switch (rule.kind) {
    case ValueKind::kFlag:
      if (std::holds_alternative<bool>(value)) return Status::ok();
      return not_allowed(rule, value);
    case ValueKind::kNumber: {
      const auto* wide = std::get_if<int64_t>(&value);
      const bool fits = wide != nullptr && *wide >= rule.min && *wide <= rule.max;
      return fits ? Status::ok() : not_allowed(rule, value);
    }
    case ValueKind::kProtocols:
      return check_protocols(rule, value);
    case ValueKind::kPaths:
      return are_paths(value) ? Status::ok() : not_allowed(rule, value);
    case ValueKind::kLater:
      if (config_value_text(value) == rule.choices.front()) return Status::ok();
      return no_such_support(rule, shown(value));
    default:
      break;
  }
  const auto* text = std::get_if<std::string>(&value);
  const bool fits = text != nullptr && is_text_allowed(rule, *text);
  return fits ? Status::ok() : not_allowed(rule, value);
}

std::string allowed_text(const ValueRule& rule) {
  switch (rule.kind) {
    case ValueKind::kFlag:
      return "true or false";
    case ValueKind::kNumber:
      return number_text(rule);
    case ValueKind::kChoice:
      return "one of " + choices_text(rule);
    case ValueKind::kAddress:
      return "an address and a port, \"127.0.0.1:7000\" or \"[::1]:7000\"";
    case ValueKind::kName:
      return "1 to " + std::to_string(kNameBytesMax) + " printable characters without spaces";
    case ValueKind::kPath:
      return "the path of a file, or \"\" for none";
    case ValueKind::kPaths:
      return "the path of a file, a list of up to " + std::to_string(kPathsMax) +
             " of them, or \"\" for none";
    case ValueKind::kProtocols:
      return "a list of one or more of " + choices_text(rule);
    case ValueKind::kLater:
      break;
  }
  return "only " + std::string(rule.choices.front()) + " is allowed";
}

bool takes_bare_text(const ValueRule& rule) {
  switch (rule.kind) {
    case ValueKind::kChoice:
    case ValueKind::kAddress:
    case ValueKind::kName:
    case ValueKind::kPath:
      return true;
    case ValueKind::kLater:
      return rule.choices.front().starts_with('"');
    default:
      return false;
  }
}

}  // namespace holdfast
