#include "gateway/session/session_table.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

namespace holdfast {
namespace {

constexpr WrappingMs kStart(10'000);

TEST(SessionTable, ActivityMakesASessionTheNewestAtMostOnceASecond) {
  SessionTable table(8, kStart);
  for (uint32_t slot = 0; slot < 3; ++slot) {
    ASSERT_EQ(table.allocate(), slot);
    table.hot(slot).last_activity = kStart;
    table.sessions.push_newest(slot);
  }
  table.note_activity(0, kStart.plus_ms(999));
  EXPECT_EQ(table.sessions.newest(), 2u);
  EXPECT_EQ(table.hot(0).last_activity, kStart.plus_ms(999));
  table.note_activity(0, kStart.plus_ms(1000));
  EXPECT_EQ(table.sessions.newest(), 0u);
  EXPECT_EQ(table.sessions.idlest(), 1u);
}

TEST(SessionTable, ABatchIsHandledInItsOrderWhateverSlotsItNames) {
  SessionTable table(8, kStart);
  ASSERT_EQ(table.allocate(), 0u);
  table.sessions.push_newest(0);
  // More than are asked for ahead; all but the first are free slots, or none at all.
  std::vector<uint32_t> batch(100);
  std::iota(batch.begin(), batch.end(), 0u);
  batch.push_back(SessionTable::kNone);
  std::vector<uint32_t> handled;
  table.for_each_ahead(
      batch, [](uint32_t slot) { return slot; },
      [&handled](uint32_t slot) { handled.push_back(slot); });
  EXPECT_EQ(handled, batch);
}

}  // namespace
}  // namespace holdfast
