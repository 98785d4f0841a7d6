#include "common/status.h"

#include <gtest/gtest.h>

#include <memory>

namespace holdfast {
namespace {

TEST(Status, OkHasNoMessage) {
  EXPECT_TRUE(Status::ok().is_ok());
  EXPECT_EQ(Status::ok().message(), "");
}

TEST(Status, ErrorKeepsItsMessageEvenAnEmptyOne) {
  EXPECT_FALSE(Status::error("port in use").is_ok());
  EXPECT_EQ(Status::error("port in use").message(), "port in use");
  EXPECT_FALSE(Status::error("").is_ok());
}

TEST(Result, HoldsAValueThatCanBeMovedOut) {
  Result<std::unique_ptr<int>> result = std::make_unique<int>(5);
  ASSERT_TRUE(result.is_ok());
  EXPECT_TRUE(result.status().is_ok());
  const std::unique_ptr<int> value = std::move(result.value());
  EXPECT_EQ(*value, 5);
}

TEST(Result, HoldsTheStatusThatSaysWhyThereIsNone) {
  const Result<int> result = Status::error("no such file");
  EXPECT_FALSE(result.is_ok());
  EXPECT_EQ(result.status().message(), "no such file");
}

TEST(ResultDeathTest, ValueOfAFailureAndFailureThatIsOkAreBugs) {
  const Result<int> result = Status::error("no such file");
  EXPECT_DEATH((void)result.value(), "check failed");
  EXPECT_DEATH((void)Result<int>(Status::ok()), "check failed");
}

}  // namespace
}  // namespace holdfast
