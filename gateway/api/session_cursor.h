#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/net/accepted_socket.h"

namespace holdfast {

// Where a listing of sessions goes on: loops in order, each loop's slots in order. A session keeps
// its slot as long as it lives, so one that is there throughout a listing is listed exactly once,
// however many come and go meanwhile.
struct SessionCursor {
  LoopIndex loop = 0;
  uint32_t slot = 0;

  bool operator==(const SessionCursor&) const = default;
};

// Text for clients to hand back and not to look into.
std::string cursor_text(SessionCursor cursor);
// Nothing when it is not such a text, or names a loop or slot that cannot be.
[[nodiscard]] std::optional<SessionCursor> parse_cursor(std::string_view text, LoopIndex loops);

}  // namespace holdfast
