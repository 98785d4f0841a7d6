#include "common/unique_fd.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <utility>

namespace holdfast {
namespace {

int open_one() {
  const int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  EXPECT_GE(fd, 0);
  return fd;
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFd, DefaultOneOwnsNone) {
  const UniqueFd none;
  EXPECT_FALSE(none.is_open());
  EXPECT_EQ(none.get(), -1);
}

TEST(UniqueFd, ClosesWhenItGoes) {
  const int fd = open_one();
  {
    const UniqueFd owner(fd);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(UniqueFd, MoveHandsTheDescriptorOver) {
  const int fd = open_one();
  UniqueFd first(fd);
  UniqueFd second(std::move(first));
  EXPECT_FALSE(first.is_open());  // NOLINT(bugprone-use-after-move): a moved-from owner owns none
  EXPECT_EQ(second.get(), fd);
  UniqueFd third;
  third = std::move(second);
  EXPECT_TRUE(is_open(fd));
  EXPECT_EQ(third.get(), fd);
}

TEST(UniqueFd, MoveOverAnOpenOneClosesThatOne) {
  const int old_fd = open_one();
  const int new_fd = open_one();
  UniqueFd owner(old_fd);
  owner = UniqueFd(new_fd);
  EXPECT_FALSE(is_open(old_fd));
  EXPECT_TRUE(is_open(new_fd));
}

TEST(UniqueFd, MoveOntoItselfKeepsTheDescriptor) {
  UniqueFd owner(open_one());
  UniqueFd& same = owner;
  owner = std::move(same);
  EXPECT_TRUE(owner.is_open());
  EXPECT_TRUE(is_open(owner.get()));
}

TEST(UniqueFd, ReleaseGivesItUpAndResetClosesIt) {
  const int fd = open_one();
  UniqueFd owner(fd);
  EXPECT_EQ(owner.release(), fd);
  EXPECT_TRUE(is_open(fd));
  owner.reset(fd);
  owner.reset();
  EXPECT_FALSE(is_open(fd));
  EXPECT_FALSE(owner.is_open());
}

}  // namespace
}  // namespace holdfast
