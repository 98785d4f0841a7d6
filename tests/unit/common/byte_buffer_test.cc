#include "common/byte_buffer.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/unit/support/bytes.h"

namespace holdfast {
namespace {

using test::from_text;
using test::repeated;

std::string text_of(const ByteBuffer& buffer) { return test::to_text(buffer.bytes()); }

TEST(ByteBuffer, EmptyOneOwnsNothing) {
  const ByteBuffer buffer;
  EXPECT_TRUE(buffer.is_empty());
  EXPECT_EQ(buffer.capacity(), 0u);
  EXPECT_TRUE(buffer.bytes().empty());
}

TEST(ByteBuffer, AppendingNothingAllocatesNothing) {
  ByteBuffer buffer;
  buffer.append({});
  buffer.consume(0);
  EXPECT_EQ(buffer.capacity(), 0u);
}

TEST(ByteBuffer, BytesComeInAtTheBackAndLeaveAtTheFront) {
  ByteBuffer buffer;
  buffer.append(from_text("hold"));
  buffer.append(from_text("fast"));
  buffer.consume(2);
  EXPECT_EQ(text_of(buffer), "ldfast");
  buffer.append(from_text("!"));
  EXPECT_EQ(text_of(buffer), "ldfast!");
  EXPECT_EQ(buffer.size(), 7u);
}

TEST(ByteBuffer, RunningEmptyGivesTheMemoryBack) {
  ByteBuffer buffer;
  buffer.append(repeated(1000, 1));
  EXPECT_GE(buffer.capacity(), 1000u);
  buffer.consume(999);
  EXPECT_GE(buffer.capacity(), 1000u);
  buffer.consume(1);
  EXPECT_EQ(buffer.capacity(), 0u);
  buffer.append(from_text("again"));
  EXPECT_EQ(text_of(buffer), "again");
}

TEST(ByteBuffer, BeginsSmallAndGrowsByDoubling) {
  ByteBuffer buffer;
  buffer.append(repeated(1, 0));
  EXPECT_EQ(buffer.capacity(), 64u);
  buffer.append(repeated(64, 0));
  EXPECT_EQ(buffer.capacity(), 128u);
  buffer.append(repeated(1000, 0));
  EXPECT_EQ(buffer.capacity(), 1065u);
}

TEST(ByteBuffer, StreamThatNeverRunsEmptyDoesNotGrow) {
  ByteBuffer buffer;
  buffer.append(repeated(30, 0));
  for (int i = 0; i < 1000; ++i) {
    buffer.append(repeated(30, 0));
    buffer.consume(30);
  }
  EXPECT_LE(buffer.capacity(), 128u);
}

TEST(ByteBuffer, RandomOperationsAgreeWithTheModel) {
  std::mt19937 random(9);
  ByteBuffer buffer;
  std::string model;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0) {
      std::string added(random() % 200, '\0');
      for (char& c : added) c = static_cast<char>(random());
      buffer.append(from_text(added));
      model += added;
    } else {
      const size_t count = random() % (std::min<size_t>(model.size(), 300) + 1);
      buffer.consume(count);
      model.erase(0, count);
    }
    ASSERT_EQ(text_of(buffer), model) << "step " << step;
  }
}

TEST(ByteBufferDeathTest, ConsumingMoreThanThereIsIsABug) {
  ByteBuffer buffer;
  buffer.append(from_text("abc"));
  EXPECT_DEATH(buffer.consume(4), "check failed");
}

}  // namespace
}  // namespace holdfast
