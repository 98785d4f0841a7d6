#include "gateway/config_value.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <optional>
#include <system_error>

namespace holdfast {
namespace {

// Digits with single underscores between them, as TOML lets them stand; none if it is anything else
// or does not fit.
std::optional<int64_t> parse_digits(std::string_view digits, int base, bool is_negative) {
  const bool is_spaced_right = !digits.starts_with('_') && !digits.starts_with('-') &&
                               !digits.ends_with('_') &&
                               digits.find("__") == std::string_view::npos;
  if (!is_spaced_right) return std::nullopt;
  std::string text = is_negative ? "-" : "";
  std::ranges::copy_if(digits, std::back_inserter(text), [](char c) { return c != '_'; });
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number, base);
  if (failure != std::errc{} || stop != end) return std::nullopt;
  return number;
}

std::optional<int64_t> parse_integer(std::string_view word) {
  if (word.starts_with("0x")) return parse_digits(word.substr(2), 16, false);
  if (word.starts_with("0o")) return parse_digits(word.substr(2), 8, false);
  if (word.starts_with("0b")) return parse_digits(word.substr(2), 2, false);
  const bool is_negative = word.starts_with('-');
  if (is_negative || word.starts_with('+')) word.remove_prefix(1);
  if (word.size() > 1 && word.front() == '0') return std::nullopt;  // TOML: no leading zeros
  return parse_digits(word, 10, is_negative);
}

}  // namespace

ConfigValue value_of_word(std::string_view word) {
  if (word == "true") return true;
  if (word == "false") return false;
  if (const auto number = parse_integer(word)) return *number;
  return UnusableValue{std::string(word)};
}

std::string config_value_text(const ConfigValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<int64_t>(&value)) return std::to_string(*number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted_text(*text);
  if (const auto* unusable = std::get_if<UnusableValue>(&value)) return unusable->text;
  if (const auto* texts = std::get_if<std::vector<std::string>>(&value)) {
    std::vector<std::string> items;
    for (const std::string& item : *texts) items.push_back(quoted_text(item));
    return list_text(items);
  }
  return "a table";
}

std::string quoted_text(std::string_view text) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7F) {
      out += "\\u00";
      out += kHex[byte >> 4];
      out += kHex[byte & 0xF];
    } else {
      out += c;
    }
  }
  return out + "\"";
}

std::string list_text(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) out += (out.size() > 1 ? ", " : "") + item;
  return out + "]";
}

}  // namespace holdfast
