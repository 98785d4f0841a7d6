#include "gateway/config_text.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace holdfast {
namespace {

using Texts = std::vector<std::string>;

std::vector<ConfigEntry> parsed(std::string_view text) {
  auto result = parse_config_text(text);
  if (const auto* error = std::get_if<ConfigSyntaxError>(&result)) {
    ADD_FAILURE() << error->line << ": " << error->message;
    return {};
  }
  return std::get<std::vector<ConfigEntry>>(std::move(result));
}

ConfigValue value_of(const std::string& text) {
  const auto entries = parsed("key = " + text);
  return entries.size() == 1 ? entries[0].value : EmptyTable{};
}

std::string error_of(std::string_view text) {
  const auto result = parse_config_text(text);
  const auto* error = std::get_if<ConfigSyntaxError>(&result);
  if (error == nullptr) return "no error";
  return std::to_string(error->line) + ": " + error->message;
}

// The keys with their lines, such as "a.b@2".
Texts keys_of(std::string_view text) {
  Texts keys;
  for (const ConfigEntry& entry : parsed(text)) {
    const std::string element = entry.element ? "#" + std::to_string(*entry.element) : "";
    keys.push_back(entry.key + element + "@" + std::to_string(entry.line));
  }
  return keys;
}

TEST(ConfigText, SectionsAndDottedKeysAreOnePath) {
  EXPECT_EQ(keys_of("a = 1\nb.c = 2\n[d]\ne = 3\n [ f . g ] # why\nh.i = 4"),
            (Texts{"a@1", "b.c@2", "d.e@4", "f.g.h.i@6"}));
}

TEST(ConfigText, RepeatedSectionsAreCounted) {
  EXPECT_EQ(keys_of("[[l]]\na = 1\n[m]\na = 1\n[[l]]\n[[ l ]]\na = 2\n"),
            (Texts{"l.a#0@2", "m.a@4", "l#1@5", "l.a#2@7"}));
}

TEST(ConfigText, ASectionWithoutKeysIsAnEntryOfItsOwn) {
  const auto entries = parsed("[a]\n[b]\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].value, ConfigValue(EmptyTable{}));
  EXPECT_EQ(keys_of("[a]\n[b]\n"), (Texts{"a@1", "b@2"}));
}

TEST(ConfigText, BlanksCommentsAndLineEndsOfEverySystemAreSkipped) {
  EXPECT_EQ(keys_of(""), Texts{});
  EXPECT_EQ(keys_of("\n \t\n# note\n"), Texts{});
  EXPECT_EQ(keys_of("\xEF\xBB\xBF# gr\xC3\xB6\xC3\x9F"
                    "e\r\na = 1\r\n[b]\r\n\tc\t=\t1 # x\r\n"),
            (Texts{"a@2", "b.c@4"}));
  EXPECT_EQ(keys_of("a = 1 # no end of line"), Texts{"a@1"});
}

TEST(ConfigText, KeysThatTomlQuotesStayQuoted) {
  EXPECT_EQ(keys_of("\"a.b\" = 1\n'c d'.e = 2\n\"f\" = 3\n\"\" = 4\n\"\\n\" = 5\n"),
            (Texts{"\"a.b\"@1", "\"c d\".e@2", "f@3", "\"\"@4", "\"\\u000A\"@5"}));
}

TEST(ConfigText, ValuesHaveTheirTypes) {
  EXPECT_EQ(value_of("true"), ConfigValue(true));
  EXPECT_EQ(value_of("false"), ConfigValue(false));
  EXPECT_EQ(value_of("\"a # b\""), ConfigValue(std::string("a # b")));
  EXPECT_EQ(value_of("'C:\\x'"), ConfigValue(std::string("C:\\x")));
  EXPECT_EQ(value_of("\"\""), ConfigValue(std::string()));
  EXPECT_EQ(value_of("'' # empty"), ConfigValue(std::string()));
}

TEST(ConfigText, NumbersAreThoseOfToml) {
  EXPECT_EQ(value_of("0"), ConfigValue(int64_t{0}));
  EXPECT_EQ(value_of("+7"), ConfigValue(int64_t{7}));
  EXPECT_EQ(value_of("-0"), ConfigValue(int64_t{0}));
  EXPECT_EQ(value_of("1_000_000"), ConfigValue(int64_t{1'000'000}));
  EXPECT_EQ(value_of("0xDEAD_beef"), ConfigValue(int64_t{0xDEADBEEF}));
  EXPECT_EQ(value_of("0o755"), ConfigValue(int64_t{0755}));
  EXPECT_EQ(value_of("0b101"), ConfigValue(int64_t{5}));
  EXPECT_EQ(value_of("9223372036854775807"), ConfigValue(INT64_MAX));
  EXPECT_EQ(value_of("-9223372036854775808"), ConfigValue(INT64_MIN));
}

TEST(ConfigText, WordsOfNoUsableKindAreKeptToBeShown) {
  for (const char* word : {"9223372036854775808",
                           "-9223372036854775809",
                           "007",
                           "-01",
                           "1__0",
                           "_1",
                           "1_",
                           "+-5",
                           "--5",
                           "-",
                           "+",
                           "0x",
                           "0x-5",
                           "0xG",
                           "1.5",
                           "1e3",
                           "inf",
                           "nan",
                           "1979-05-27T07:32:00Z",
                           "07:32:00",
                           "five",
                           "True",
                           "5s"}) {
    EXPECT_EQ(value_of(word), ConfigValue(UnusableValue{word})) << word;
  }
}

TEST(ConfigText, EscapesAreThoseOfToml) {
  EXPECT_EQ(value_of(R"("\b\t\n\f\r\"\\")"), ConfigValue(std::string("\b\t\n\f\r\"\\")));
  EXPECT_EQ(value_of(R"("\u00e9\u20AC\U0001F600\u0041")"),
            ConfigValue(std::string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"
                                    "A")));
  for (const char* bad : {R"("\x41")", R"("\u12")", R"("\u12G4")", R"("\uD800")", R"("\U00110000")",
                          R"("\u+041")", R"("\U-0000041")", R"("\ ")", R"("\u)", R"("\)"}) {
    EXPECT_TRUE(error_of("key = " + std::string(bad)).starts_with("1: \\ is followed by")) << bad;
  }
}

TEST(ConfigText, ListsMayGoOverLines) {
  EXPECT_EQ(value_of("[]"), ConfigValue(Texts{}));
  EXPECT_EQ(value_of("[\"a\", 'b']"), ConfigValue(Texts{"a", "b"}));
  EXPECT_EQ(value_of("[ # first\n 'a' # it\n , # more\n 'b',\n]"), ConfigValue(Texts{"a", "b"}));
  EXPECT_EQ(value_of("['a', 1, true]"), ConfigValue(UnusableValue{"[\"a\", 1, true]"}));
  EXPECT_EQ(keys_of("a = [\n]\nb = 1"), (Texts{"a@1", "b@3"}));
}

struct Malformed {
  const char* text;
  const char* error;
};

class ConfigTextError : public testing::TestWithParam<Malformed> {};

TEST_P(ConfigTextError, NamesTheLineAndWhatShouldStandThere) {
  EXPECT_EQ(error_of(GetParam().text), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Places, ConfigTextError,
    testing::Values(
        Malformed{"a", "1: a setting is written key = value, in \"a\""},
        Malformed{"a b = 1", "1: a setting is written key = value, in \"a b = 1\""},
        Malformed{"\n= 1", "2: a key of letters, digits, _ and - should stand here, in \"= 1\""},
        Malformed{"a. = 1",
                  "1: a key of letters, digits, _ and - should stand here, in \"a. = 1\""},
        Malformed{"\xC3\xA9 = 1",
                  "1: a key of letters, digits, _ and - should stand here, in \"?? = 1\""},
        Malformed{"a =\nb = 1", "1: a value should stand here, in \"a =\""},
        Malformed{"a = # 1", "1: a value should stand here, in \"a = # 1\""},
        Malformed{"a = 1 2", "1: the line should end here, or a comment begin, in \"a = 1 2\""},
        Malformed{"a = \"x\"y",
                  "1: the line should end here, or a comment begin, in \"a = \\\"x\\\"y\""},
        Malformed{"a = \"x\nb = 1",
                  "1: the text is not closed before the line ends, in \"a = \\\"x\""},
        Malformed{"a = 'x", "1: the text is not closed before the line ends, in \"a = 'x\""},
        Malformed{"a = '''x'''",
                  "1: a text over several lines is not supported, in \"a = '''x'''\""},
        Malformed{"a = {b = 1}",
                  "1: a table in braces is not supported: write a section, in \"a = {b = 1}\""},
        Malformed{"a = [[1]]", "1: a list in a list is not supported, in \"a = [[1]]\""},
        Malformed{"a = [1 2]", "1: a list should go on with , or end with ], in \"a = [1 2]\""},
        Malformed{"a = [,]", "1: a value should stand here, in \"a = [,]\""},
        Malformed{"a = [", "1: a value should stand here, in \"a = [\""},
        Malformed{"[a", "1: a section is written [name] or [[name]], in \"[a\""},
        Malformed{"[[a]", "1: a section is written [name] or [[name]], in \"[[a]\""},
        Malformed{"[[a] ]", "1: a section is written [name] or [[name]], in \"[[a] ]\""},
        Malformed{"[a] b = 1", "1: the line should end here, or a comment begin, in \"[a] b = 1\""},
        Malformed{"[]", "1: a key of letters, digits, _ and - should stand here, in \"[]\""},
        Malformed{"[&", "1: a key of letters, digits, _ and - should stand here, in \"[&\""},
        Malformed{"[[[1]]]",
                  "1: a key of letters, digits, _ and - should stand here, in \"[[[1]]]\""},
        Malformed{"a = 1\n\na = 2", "3: a is defined twice, first in line 1, in \"a = 2\""},
        Malformed{"[a]\n[b]\n[a]", "3: a is defined twice, first in line 1, in \"[a]\""},
        Malformed{"[[a]]\n[a]", "2: a is defined twice, first in line 1, in \"[a]\""},
        Malformed{"[a]\n[[a]]", "2: a is defined twice, first in line 1, in \"[[a]]\""},
        Malformed{"[[a]]\n[[a]]\nb = 1\nb = 2",
                  "4: a.b#1 is defined twice, first in line 3, in \"b = 2\""},
        Malformed{"a.b = 1\n[[a]]", "2: a has keys already: it cannot be repeated, in \"[[a]]\""},
        Malformed{"a = 1\n# \x01", "2: the line has a control character"},
        Malformed{"a = '\x7F'", "1: the line has a control character"},
        Malformed{"a = 1\rb = 2", "1: the line has a control character"},
        Malformed{"a = 1\n\xFF", "2: the line is not UTF-8"}));

TEST(ConfigText, NulIsNotTakenForTheEnd) {
  EXPECT_EQ(error_of(std::string_view("a = 1\0", 6)), "1: the line has a control character");
}

TEST(ConfigText, ALineHasABound) {
  EXPECT_EQ(error_of("\n# " + std::string(4094, 'x')), "no error");
  EXPECT_EQ(error_of("\n# " + std::string(4095, 'x')), "2: the line is longer than 4096 bytes");
}

TEST(ConfigText, AQuotedLineIsCut) {
  EXPECT_EQ(error_of(std::string(100, 'a')),
            "1: a setting is written key = value, in \"" + std::string(80, 'a') + "\"...");
}

TEST(ConfigText, EveryCutOfAFileIsReadOrRefused) {
  const std::string whole =
      "a.b = 'x'\n[c]\nd = \"\\u00e9\"\n[[e]]\nf = [ 'g', # h\n 1 ]\ni = -0x1\n";
  for (size_t size = 0; size <= whole.size(); ++size) {
    const auto result = parse_config_text(std::string(whole, 0, size));
    if (const auto* error = std::get_if<ConfigSyntaxError>(&result)) {
      EXPECT_GE(error->line, 1U);
      EXPECT_LE(error->line, 7U);
      EXPECT_FALSE(error->message.empty());
    }
  }
}

TEST(ConfigValue, OneValueAndNothingBehindIt) {
  EXPECT_EQ(parse_config_value("12"), ConfigValue(int64_t{12}));
  EXPECT_EQ(parse_config_value("['a']"), ConfigValue(Texts{"a"}));
  for (const char* bad : {"", " ", "1 2", "1\nb = 2", "'a", "[1", "{}", "\x01", "1,"}) {
    EXPECT_EQ(parse_config_value(bad), std::nullopt) << bad;
  }
}

TEST(ConfigValue, TheTextReadsBackToTheValue) {
  const ConfigValue values[] = {true,
                                false,
                                int64_t{-5},
                                std::string("\x01\x7F\"\\\n\xC3\xA9"),
                                std::vector<std::string>{},
                                std::vector<std::string>{"a\n", "b"}};
  for (const ConfigValue& value : values) {
    EXPECT_EQ(parse_config_value(config_value_text(value)), value) << config_value_text(value);
  }
}

}  // namespace
}  // namespace holdfast
