#include "tools/conn_flood/limits.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast::flood {
namespace {

uint32_t processes(uint32_t connections, uint32_t threads, uint64_t descriptors) {
  const Result<uint32_t> chosen = choose_processes(connections, threads, 0, descriptors);
  EXPECT_TRUE(chosen.is_ok()) << chosen.status().message();
  return chosen.is_ok() ? chosen.value() : 0;
}

TEST(ChooseProcesses, OneWhileItHoldsThem) {
  EXPECT_EQ(processes(19'000, 1, 20'000), 1u);
  EXPECT_EQ(processes(1, 1, 20'000), 1u);
  EXPECT_EQ(processes(1'000'000, 2, 1'048'576), 1u);
}

TEST(ChooseProcesses, SplitsByTheLimit) {
  EXPECT_EQ(processes(20'000, 1, 20'000), 2u);
  EXPECT_EQ(processes(100'000, 1, 20'000), 6u);
}

// A worker gets every nth client, so the fullest process is a little above the mean.
TEST(ChooseProcesses, FullestProcessStaysBelowTheLimit) {
  for (const uint32_t threads : {1u, 2u, 7u}) {
    for (uint32_t connections = 100; connections < 5000; connections += 37) {
      const uint32_t chosen = processes(connections, threads, 200);
      const uint32_t workers = chosen * threads;
      const uint32_t fullest_worker = (connections + workers - 1) / workers;
      EXPECT_LE(fullest_worker * threads + threads + kDescriptorsReserved, 200u);
    }
  }
}

TEST(ChooseProcesses, KeepsTheNumberAskedForWhenItSuffices) {
  EXPECT_EQ(choose_processes(1000, 1, 4, 20'000).value(), 4u);
}

TEST(ChooseProcesses, RefusesTooFewWithTheNumberThatDoes) {
  const Result<uint32_t> chosen = choose_processes(100'000, 1, 2, 20'000);
  ASSERT_FALSE(chosen.is_ok());
  EXPECT_NE(chosen.status().message().find("--processes 6"), std::string::npos);
}

TEST(ChooseProcesses, RefusesALimitThatHoldsNothing) {
  EXPECT_FALSE(choose_processes(10, 1, 0, 60).is_ok());
  EXPECT_FALSE(choose_processes(1'000'000, 1, 0, 100).is_ok());
}

}  // namespace
}  // namespace holdfast::flood
