#include "gateway/token_file.h"

#include <algorithm>
#include <string_view>

#include "common/small_file.h"

namespace holdfast {
namespace {

constexpr size_t kFileBytesMax = 4096;
constexpr size_t kTokenBytesMin = 16;

std::string_view trimmed_first_line(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  text = text.substr(0, text.find('\n'));
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace

Result<std::string> read_token_file(const std::filesystem::path& file) {
  Result<std::string> text = read_small_file(file, kFileBytesMax, FilePrivacy::kOwnerOnly);
  if (!text.is_ok()) return text;
  const std::string_view token = trimmed_first_line(text.value());
  if (token.size() < kTokenBytesMin) {
    return Status::error("the first line of " + file.string() + " has " +
                         std::to_string(token.size()) + " characters: a token needs at least " +
                         std::to_string(kTokenBytesMin));
  }
  // It travels in an Authorization header, which ends at a blank or a control character.
  if (!std::ranges::all_of(token, [](char c) { return c > ' ' && c < 0x7F; })) {
    return Status::error("the first line of " + file.string() +
                         " is not a token: printable ASCII without spaces is allowed");
  }
  return std::string(token);
}

}  // namespace holdfast
