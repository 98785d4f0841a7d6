#include "gateway/route/handshake_desk.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <set>
#include <vector>

namespace holdfast {
namespace {

class NoSink final : public HandshakeSink {
 public:
  void post_stepped(uint32_t, HandshakeJob&&) override {}
};

// Threads that never start: what is handed out stays with them.
class HandshakeDeskTest : public testing::Test {
 protected:
  std::vector<uint32_t> hand_out() {
    std::vector<uint32_t> slots;
    desk_.hand_out([&](uint32_t slot, uint32_t) {
      std::unique_ptr<TlsHandshake> taken = take(slot);
      if (taken != nullptr) slots.push_back(slot);
      return taken;
    });
    return slots;
  }
  // What the loop does itself; 0: nothing.
  uint32_t do_kept() {
    return desk_.next_kept([&](uint32_t slot, uint32_t) { return take(slot); }).slot;
  }
  std::unique_ptr<TlsHandshake> take(uint32_t slot) {
    if (gone_.contains(slot)) return nullptr;
    if (begun_.insert(slot).second) desk_.note_begun();
    return std::make_unique<TlsHandshake>(nullptr);
  }
  void ask(uint32_t slot, bool is_short = false) {
    desk_.ask(slot, 1, begun_.contains(slot), is_short);
  }
  void ask_short(std::initializer_list<uint32_t> slots) {
    for (const uint32_t slot : slots) ask(slot, true);
  }

  NoSink sink_;
  TlsHandshakeThreads threads_{2, 1, sink_};
  HandshakeDesk desk_{0, threads_};
  std::set<uint32_t> begun_;
  std::set<uint32_t> gone_;
};

TEST_F(HandshakeDeskTest, NewcomersGoInOrder) {
  desk_.set_begun_max(10);
  for (uint32_t slot : {5u, 3u, 8u}) ask(slot);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{5, 3, 8}));
}

TEST_F(HandshakeDeskTest, NoMoreBeginThanAreAllowed) {
  desk_.set_begun_max(2);
  for (uint32_t slot = 0; slot < 4; ++slot) ask(slot);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{0, 1}));
  EXPECT_TRUE(desk_.is_crowded());
  EXPECT_EQ(desk_.waiting(), 2u);
  desk_.note_ended();
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{2}));
}

TEST_F(HandshakeDeskTest, ThoseThatHaveBegunGoBeforeNewcomers) {
  desk_.set_begun_max(1);
  ask(1);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{1}));
  ask(2);
  ask(1);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{1}));
  EXPECT_TRUE(desk_.is_crowded());
}

TEST_F(HandshakeDeskTest, WhoHasGoneTakesNobodysPlace) {
  desk_.set_begun_max(1);
  gone_ = {1, 2};
  for (uint32_t slot : {1u, 2u, 3u}) ask(slot);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{3}));
  EXPECT_FALSE(desk_.is_crowded());
}

TEST_F(HandshakeDeskTest, ThreadsGetOnlyWhatTheyHaveRoomFor) {
  constexpr size_t kRoom = 2 * TlsHandshakeThreads::kJobsPerLoopMax;
  desk_.set_begun_max(1000);
  for (uint32_t slot = 0; slot < kRoom + 5; ++slot) ask(slot);
  EXPECT_EQ(hand_out().size(), kRoom);
  EXPECT_TRUE(hand_out().empty());
}

TEST_F(HandshakeDeskTest, TheLoopKeepsAFewShortSteps) {
  desk_.set_begun_max(10);
  desk_.set_kept_max(2);
  ask(1);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{1}));
  ask_short({2, 3, 4});
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{4}));
  EXPECT_EQ(do_kept(), 2u);
  EXPECT_EQ(do_kept(), 3u);
  EXPECT_FALSE(desk_.has_kept());
  EXPECT_EQ(do_kept(), 0u);
}

TEST_F(HandshakeDeskTest, WhoIsKeptHasAPlaceAndNoMoreAreKeptThanThereArePlaces) {
  desk_.set_begun_max(1);
  desk_.set_kept_max(4);
  ask_short({1, 2, 3});
  EXPECT_TRUE(hand_out().empty());
  EXPECT_EQ(desk_.waiting(), 3u);
  EXPECT_EQ(do_kept(), 1u);
  EXPECT_EQ(do_kept(), 0u);
  EXPECT_TRUE(hand_out().empty());
  desk_.note_ended();
  ask_short({4});  // behind those who wait already
  EXPECT_FALSE(desk_.has_kept());
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{2}));
  EXPECT_EQ(desk_.waiting(), 2u);
}

TEST_F(HandshakeDeskTest, InACrowdNothingIsKept) {
  desk_.set_begun_max(10);
  desk_.set_kept_max(2);
  for (const uint32_t slot : {1u, 2u, 3u}) ask(slot);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{1, 2, 3}));
  ask_short({1, 4});  // the second step of one, the first of another
  EXPECT_FALSE(desk_.has_kept());
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{1, 4}));
  desk_.note_ended();
  desk_.note_ended();
  ask_short({2});
  EXPECT_EQ(do_kept(), 2u);
}

TEST_F(HandshakeDeskTest, WhoLeavesGivesItsPlaceBack) {
  desk_.set_begun_max(1);
  desk_.set_kept_max(4);
  ask_short({1, 2});
  gone_ = {1};
  EXPECT_EQ(do_kept(), 0u);
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{2}));
}

TEST_F(HandshakeDeskTest, WhoseConnectionHasGoneIsNotKept) {
  desk_.set_begun_max(10);
  desk_.set_kept_max(2);
  ask_short({1, 2});
  gone_ = {1};
  EXPECT_EQ(do_kept(), 2u);
}

TEST_F(HandshakeDeskTest, WhatIsLetGoKeepsItsPlace) {
  desk_.set_begun_max(10);
  desk_.set_kept_max(3);
  ask_short({1, 2, 3});
  EXPECT_EQ(desk_.waiting(), 3u);
  desk_.let_go_of_stale();
  ask(4);
  desk_.let_go_of_stale();
  EXPECT_FALSE(desk_.has_kept());
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{1, 2, 3, 4}));
  EXPECT_EQ(desk_.waiting(), 0u);
}

TEST_F(HandshakeDeskTest, ALoopThatIsNeverIdleLetsGoOfWhatItKept) {
  desk_.set_begun_max(10);
  desk_.set_kept_max(4);
  ask_short({1, 2});
  desk_.let_go_of_stale();  // they have not been here for a whole tick yet
  EXPECT_EQ(do_kept(), 1u);
  ask_short({3});
  EXPECT_TRUE(hand_out().empty());
  desk_.let_go_of_stale();
  EXPECT_EQ(hand_out(), (std::vector<uint32_t>{2}));
  EXPECT_EQ(do_kept(), 3u);
  desk_.let_go_of_stale();
  EXPECT_TRUE(hand_out().empty());
}

}  // namespace
}  // namespace holdfast
