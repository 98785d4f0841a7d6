#include "gateway/sysctl_rules.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace holdfast {
namespace {

using Numbers = std::vector<uint64_t>;

TEST(SysctlRules, NumbersAreReadWholeOrNotAtAll) {
  EXPECT_EQ(parse_numbers("4096 131072 6291456"), (Numbers{4096, 131072, 6291456}));
  EXPECT_EQ(parse_numbers("7"), Numbers{7});
  EXPECT_EQ(parse_numbers(""), Numbers{});
  EXPECT_EQ(parse_numbers("9223372036854775807"), Numbers{9223372036854775807U});
  for (const char* text : {"x", "1 x", "1x", "1  2", "-1", "99999999999999999999"}) {
    EXPECT_FALSE(parse_numbers(text).has_value()) << text;
  }
}

// A mend that is carried out leaves nothing to mend, whatever stood there before.
TEST(SysctlRules, MendedValueSatisfiesItsRule) {
  for (const SysctlRule& rule : sysctl_rules()) {
    for (const uint64_t connections : {1U, 10'000U, 100'000U, 1'000'000U, 16'777'216U}) {
      for (const Numbers& found :
           {Numbers{}, Numbers{0}, Numbers{0, 0, 0}, Numbers{1U << 31, 1U << 31, 1U << 31}}) {
        const auto mended = parse_numbers(mended_value(rule, connections, found));
        ASSERT_TRUE(mended.has_value()) << rule.key;
        EXPECT_TRUE(is_satisfied(rule, connections, *mended)) << rule.key << ' ' << connections;
      }
    }
  }
}

TEST(SysctlRules, NoKeyHasTwoRules) {
  const std::vector<std::string_view> keys = sysctl_keys();
  const std::set<std::string_view> unique(keys.begin(), keys.end());
  EXPECT_EQ(unique.size(), keys.size());
}

}  // namespace
}  // namespace holdfast
