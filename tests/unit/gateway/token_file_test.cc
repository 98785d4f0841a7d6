#include "gateway/token_file.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/gateway/options_fixture.h"

namespace holdfast {
namespace {

class TokenFileTest : public OptionsFixture {};

TEST_F(TokenFileTest, AdminBeyondLoopbackNeedsAToken) {
  EXPECT_EQ(error_of("admin.bind = \"0.0.0.0:7080\"\n"),
            "a.toml:1: admin.bind: 0.0.0.0:7080 is not a loopback address: admin.token_file must "
            "name a file with a token");
  EXPECT_EQ(set_error("admin.bind=[::]:0").substr(0, 18), "--set admin.bind: ");
  const path token = write("token", "0123456789abcdef\n");
  const Options options =
      loaded("admin.bind = \"0.0.0.0:7080\"\nadmin.token_file = \"" + token.string() + "\"\n");
  EXPECT_EQ(options.admin_token, "0123456789abcdef");
}

TEST_F(TokenFileTest, TheTokenIsTheFirstLineTrimmed) {
  const path token = write("token", " \t0123456789abcdefg \r\nsecond line\n");
  EXPECT_EQ(loaded("", {"admin.token_file=" + token.string()}).admin_token, "0123456789abcdefg");
}

TEST_F(TokenFileTest, ATokenFileOpenToOthersIsRefusedWithTheMend) {
  for (const mode_t mode : {0640U, 0604U, 0620U, 0601U, 0644U}) {
    const path token = write("token", "0123456789abcdef\n", mode);
    char digits[8];
    std::snprintf(digits, sizeof digits, "%04o", mode);
    EXPECT_EQ(set_error("admin.token_file=" + token.string()),
              "--set admin.token_file: " + token.string() + " has mode " + digits +
                  ", open to others than its owner: chmod 600 " + token.string());
  }
  for (const mode_t mode : {0600U, 0400U}) {
    const path token = write("token", "0123456789abcdef\n", mode);
    EXPECT_EQ(set_error("admin.token_file=" + token.string()), "no error");
  }
}

TEST_F(TokenFileTest, TheMendCanBePastedIntoAShell) {
  const path token = write("a 'token", "0123456789abcdef\n", 0644);
  EXPECT_TRUE(set_error("admin.token_file=" + token.string())
                  .ends_with("chmod 600 '" + folder_.string() + "/a '\\''token'"));
}

TEST_F(TokenFileTest, ATokenThatIsShortOrNotPrintableIsRefused) {
  const auto error_with = [this](std::string_view text) {
    return set_error("admin.token_file=" + write("token", text).string());
  };
  EXPECT_TRUE(error_with("").ends_with("has 0 characters: a token needs at least 16"));
  EXPECT_TRUE(
      error_with("\n0123456789abcdef\n").ends_with("has 0 characters: a token needs at least 16"));
  EXPECT_TRUE(
      error_with("0123456789abcde\n").ends_with("has 15 characters: a token needs at least 16"));
  EXPECT_TRUE(
      error_with("0123456789 abcdef\n").ends_with("printable ASCII without spaces is allowed"));
  EXPECT_TRUE(error_with(std::string(5000, 'a')).ends_with("too large: at most 4096 bytes"));
}

TEST_F(TokenFileTest, ATokenFileThatIsMissingIsToldAtItsLine) {
  EXPECT_EQ(error_of("\nadmin.token_file = \"" + (folder_ / "none").string() + "\"\n"),
            "a.toml:2: admin.token_file: cannot open none: No such file or directory");
}

}  // namespace
}  // namespace holdfast
