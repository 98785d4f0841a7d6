#include "gateway/api/session_cursor.h"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "gateway/session/session_ref.h"

namespace holdfast {
namespace {

// Eight hexadecimal digits: the loop, then the slot.
constexpr size_t kTextLength = 8;
static_assert(SessionRef::kSlotBits == 24);

bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

}  // namespace

std::string cursor_text(SessionCursor cursor) {
  char text[kTextLength + 1];
  std::snprintf(text, sizeof text, "%08x",
                uint32_t{cursor.loop} << SessionRef::kSlotBits | cursor.slot);
  return text;
}

std::optional<SessionCursor> parse_cursor(std::string_view text, LoopIndex loops) {
  if (text.size() != kTextLength || !std::all_of(text.begin(), text.end(), is_lower_hex)) {
    return std::nullopt;
  }
  uint32_t packed = 0;
  std::from_chars(text.data(), text.data() + text.size(), packed, 16);
  const SessionCursor cursor{static_cast<LoopIndex>(packed >> SessionRef::kSlotBits),
                             packed & (SessionRef::kSlotsMax - 1)};
  if (cursor.loop >= loops) return std::nullopt;
  return cursor;
}

}  // namespace holdfast
