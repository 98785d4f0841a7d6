#include "gateway/machine_facts.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(MachineFacts, ControlGroupsAreReadFromTheInnermostOutwards) {
  using Directories = std::vector<std::string>;
  EXPECT_EQ(control_group_directories("/m", "/a/b"), (Directories{"/m/a/b", "/m/a", "/m"}));
  EXPECT_EQ(control_group_directories("/m", "/a"), (Directories{"/m/a", "/m"}));
  EXPECT_EQ(control_group_directories("/m", "/"), (Directories{"/m"}));
  EXPECT_EQ(control_group_directories("/m", ""), (Directories{"/m"}));
  // A process moved out of its namespace's root sees a path like this one.
  EXPECT_EQ(control_group_directories("/m", "/../x"), (Directories{"/m/../x", "/m/..", "/m"}));
}

TEST(MachineFacts, OfThisMachineArePlausible) {
  const MachineFacts facts = read_machine_facts();
  EXPECT_GT(facts.descriptors_hard, 0U);
  EXPECT_LE(facts.descriptors_soft, facts.descriptors_hard);
  EXPECT_GT(facts.files_open, 0U);
  EXPECT_GT(facts.memory_total_bytes, facts.memory_available_bytes);
  EXPECT_GE(facts.cores_allowed, 1U);
  EXPECT_TRUE(facts.sysctls.contains("fs.nr_open"));
}

}  // namespace
}  // namespace holdfast
