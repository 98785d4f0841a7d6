#include "common/protocol/utf8.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "tests/unit/support/bytes.h"
#include "tests/unit/support/guarded_bytes.h"

namespace holdfast {
namespace {

using test::from_hex;
using test::to_text;

bool is_valid_hex(std::string_view hex) { return is_valid_utf8(to_text(from_hex(hex))); }

// RFC 3629, section 3, for any number, allowed or not.
std::string encode_code_point(uint32_t code_point) {
  const auto tail = [code_point](unsigned shift) {
    return static_cast<char>(0x80 | (code_point >> shift & 0x3F));
  };
  if (code_point < 0x80) return {static_cast<char>(code_point)};
  if (code_point < 0x800) return {static_cast<char>(0xC0 | code_point >> 6), tail(0)};
  if (code_point < 0x10000) {
    return {static_cast<char>(0xE0 | code_point >> 12), tail(6), tail(0)};
  }
  return {static_cast<char>(0xF0 | code_point >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, EmptyTextIsValid) { EXPECT_TRUE(is_valid_utf8("")); }

TEST(Utf8, EveryCodePointIsValidButTheSurrogates) {
  for (uint32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    const bool is_surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    ASSERT_EQ(is_valid_utf8(encode_code_point(code_point)), !is_surrogate) << code_point;
  }
}

TEST(Utf8, NothingAboveTheLastCodePointIsValid) {
  for (uint32_t code_point = 0x110000; code_point < 0x200000; code_point += 0x3F) {
    ASSERT_FALSE(is_valid_utf8(encode_code_point(code_point))) << code_point;
  }
  EXPECT_FALSE(is_valid_hex("F8 88 80 80 80"));
  EXPECT_FALSE(is_valid_hex("FE"));
  EXPECT_FALSE(is_valid_hex("FF"));
}

TEST(Utf8, OverlongFormsAreInvalid) {
  EXPECT_FALSE(is_valid_hex("C0 80"));
  EXPECT_FALSE(is_valid_hex("C1 BF"));
  EXPECT_FALSE(is_valid_hex("E0 80 80"));
  EXPECT_FALSE(is_valid_hex("E0 9F BF"));
  EXPECT_FALSE(is_valid_hex("F0 80 80 80"));
  EXPECT_FALSE(is_valid_hex("F0 8F BF BF"));
}

TEST(Utf8, TailByteWithoutALeadIsInvalid) {
  EXPECT_FALSE(is_valid_hex("80"));
  EXPECT_FALSE(is_valid_hex("61 BF 61"));
}

TEST(Utf8, CharacterCutShortIsInvalidAndNotReadPast) {
  for (const char* hex : {"C3 A9", "E2 82 AC", "F0 9F 98 80"}) {
    const test::Bytes whole = from_hex(hex);
    EXPECT_TRUE(is_valid_utf8(to_text(whole)));
    for (size_t count = 1; count < whole.size(); ++count) {
      const test::GuardedBytes cut(test::prefix_of(whole, count));
      const std::string_view text(reinterpret_cast<const char*>(cut.bytes().data()), count);
      EXPECT_FALSE(is_valid_utf8(text)) << hex << " cut to " << count;
    }
  }
}

TEST(Utf8, CharacterCutShortByAnotherIsInvalid) {
  EXPECT_FALSE(is_valid_hex("E2 82 61"));
  EXPECT_FALSE(is_valid_hex("F0 9F 98 C3 A9"));
}

}  // namespace
}  // namespace holdfast
