#include "gateway/api/session_cursor.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(SessionCursor, TextLeadsBackToTheSamePlace) {
  for (const SessionCursor cursor : {SessionCursor{0, 0}, SessionCursor{0, 4096},
                                     SessionCursor{3, 0xFFFFFF}, SessionCursor{127, 1}}) {
    EXPECT_EQ(parse_cursor(cursor_text(cursor), 128), cursor);
  }
}

TEST(SessionCursor, LoopThatIsNotThereIsRefused) {
  EXPECT_EQ(parse_cursor(cursor_text({2, 0}), 2), std::nullopt);
  EXPECT_NE(parse_cursor(cursor_text({1, 0}), 2), std::nullopt);
}

TEST(SessionCursor, OtherTextsAreRefused) {
  for (const char* text : {"", "0", "0000000", "000000000", "0000000g", "0000000A", "-0000001",
                           "0x000001", "        ", "+0000001"}) {
    EXPECT_EQ(parse_cursor(text, 2), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace holdfast
