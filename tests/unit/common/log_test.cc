#include "common/log.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>

namespace holdfast::log {
namespace {

using namespace std::string_view_literals;

class Log : public testing::Test {
 protected:
  void SetUp() override {
    set_format(Format::kText);
    set_level(Level::kInfo);
  }
  void TearDown() override { SetUp(); }

  static std::string written(Level level, std::string_view sentence, Fields fields) {
    testing::internal::CaptureStderr();
    write(level, sentence, fields);
    return testing::internal::GetCapturedStderr();
  }
};

size_t lines_in(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

// Takes a time like 2024-01-31T23:59:58.123Z off the front of `line`.
std::string without_time(std::string_view line) {
  constexpr std::string_view kShape = "0000-00-00T00:00:00.000Z";
  EXPECT_GE(line.size(), kShape.size()) << line;
  if (line.size() < kShape.size()) return {};
  std::string time(line.substr(0, kShape.size()));
  std::replace_if(
      time.begin(), time.end(), [](char c) { return c >= '0' && c <= '9'; }, '0');
  EXPECT_EQ(time, kShape);
  return std::string(line.substr(kShape.size()));
}

TEST_F(Log, TextLineHasTimeLevelSentenceAndFields) {
  const std::string line = written(
      Level::kWarn, "listener is slow",
      {{"bind", "127.0.0.1:7000"}, {"count", 7}, {"bytes", 8u}, {"ratio", 0.5}, {"tls", false}});
  EXPECT_EQ(
      without_time(line),
      " warn  listener is slow bind=\"127.0.0.1:7000\" count=7 bytes=8 ratio=0.5 tls=false\n");
}

TEST_F(Log, JsonLineIsOneObject) {
  set_format(Format::kJson);
  const std::string line = written(Level::kError, "it \"broke\"", {{"device", "d1"}, {"n", -1}});
  constexpr std::string_view kStart = R"({"time":")";
  ASSERT_EQ(line.substr(0, kStart.size()), kStart);
  EXPECT_EQ(without_time(std::string_view(line).substr(kStart.size())),
            R"(","level":"error","message":"it \"broke\"","device":"d1","n":-1})"
            "\n");
}

TEST_F(Log, NothingThatAPeerSentEndsALineOrForgesAnother) {
  const std::string_view hostile = "a\nb\r\0\x1B[31m\x7F\x85\xE2\x80\xA8 \"c\\ x=1"sv;
  for (const Format format : {Format::kText, Format::kJson}) {
    set_format(format);
    const std::string line = written(Level::kInfo, "refused", {{"reason", hostile}});
    EXPECT_EQ(lines_in(line), 1u);
    EXPECT_NE(
        line.find(R"("a\u000ab\u000d\u0000\u001b[31m\u007f\u0085\u00e2\u0080\u00a8 \"c\\ x=1")"),
        std::string::npos)
        << line;
    for (const char c : line.substr(0, line.size() - 1)) EXPECT_TRUE(c >= 0x20 && c < 0x7F);
  }
}

TEST_F(Log, WhatIsBelowTheLevelIsNotWritten) {
  EXPECT_FALSE(is_on(Level::kDebug));
  EXPECT_EQ(written(Level::kDebug, "x", {}), "");
  set_level(Level::kError);
  EXPECT_EQ(written(Level::kWarn, "x", {}), "");
  EXPECT_EQ(lines_in(written(Level::kError, "x", {})), 1u);
  set_level(Level::kDebug);
  EXPECT_EQ(lines_in(written(Level::kDebug, "x", {})), 1u);
}

}  // namespace
}  // namespace holdfast::log
