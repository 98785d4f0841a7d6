#include "gateway/port_list.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(PortList, ReadsPortsAndRangesAndJoinsNeighbours) {
  const struct {
    const char* text;
    const char* canonical;
  } rows[] = {
      {"", ""},
      {"7000", "7000"},
      {"7000,7080", "7000,7080"},
      {"7080,7000", "7000,7080"},
      {"9000-9002", "9000-9002"},
      {"1,2-4,10-10", "1-4,10"},
      {"65535", "65535"},
      {"0-65535", "0-65535"},
      {"5-3", ""},
      {"70000,x,,12", "12"},
  };
  for (const auto& row : rows) EXPECT_EQ(PortList::parse(row.text).text(), row.canonical);
}

TEST(PortList, ContainsWhatWasAdded) {
  PortList ports = PortList::parse("10-12");
  ports.add(7000);
  EXPECT_TRUE(ports.contains(11));
  EXPECT_TRUE(ports.contains(7000));
  EXPECT_FALSE(ports.contains(13));
}

}  // namespace
}  // namespace holdfast
