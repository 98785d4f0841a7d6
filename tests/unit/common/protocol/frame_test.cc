#include "common/protocol/frame.h"

#include <gtest/gtest.h>

#include "tests/unit/support/bytes.h"

namespace holdfast {
namespace {

using test::operator+;
using test::str8;

TEST(FilterList, EmptyListGivesNothing) {
  FilterList filters;
  EXPECT_EQ(filters.pop_front(), std::nullopt);
}

TEST(FilterList, GivesFiltersInTheirOrderThenNothing) {
  const test::Bytes encoded = str8("a/+/c") + str8("#") + str8(std::string(255, 'x'));
  FilterList filters(encoded);
  EXPECT_EQ(filters.pop_front(), "a/+/c");
  EXPECT_EQ(filters.pop_front(), "#");
  EXPECT_EQ(filters.pop_front(), std::string(255, 'x'));
  EXPECT_EQ(filters.pop_front(), std::nullopt);
  EXPECT_EQ(filters.pop_front(), std::nullopt);
}

TEST(FilterList, CopyIsReadOnItsOwn) {
  const test::Bytes encoded = str8("a") + str8("b");
  FilterList original(encoded);
  FilterList copy = original;
  EXPECT_EQ(copy.pop_front(), "a");
  EXPECT_EQ(copy.pop_front(), "b");
  EXPECT_EQ(original.pop_front(), "a");
}

}  // namespace
}  // namespace holdfast
