#include "common/protocol/utf8.h"

#include <cstdint>

namespace holdfast {
namespace {

// What may follow a lead byte: how many bytes in all, and the range of the second one.
struct Lead {
  uint8_t length;
  uint8_t second_min;
  uint8_t second_max;
};

constexpr Lead classify(uint8_t lead) {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

}  // namespace

bool is_valid_utf8(std::string_view text) {
  size_t at = 0;
  while (at < text.size()) {
    const Lead lead = classify(static_cast<uint8_t>(text[at]));
    if (lead.length == 0 || text.size() - at < lead.length) return false;
    if (lead.length > 1) {
      const auto second = static_cast<uint8_t>(text[at + 1]);
      if (second < lead.second_min || second > lead.second_max) return false;
    }
    for (size_t i = 2; i < lead.length; ++i) {
      if ((static_cast<uint8_t>(text[at + i]) & 0xC0) != 0x80) return false;
    }
    at += lead.length;
  }
  return true;
}

}  // namespace holdfast
