#include "gateway/session/liveness.h"

#include <gtest/gtest.h>

#include <optional>

namespace holdfast {
namespace {

constexpr uint32_t kNowMs = 0xFFFFFF00;  // the clock wraps within these tests

HotRecord open_session(uint16_t heartbeat_s, uint8_t misses) {
  HotRecord record;
  record.state = SessionState::kOpen;
  record.last_activity = WrappingMs(kNowMs);
  record.heartbeat_s = heartbeat_s;
  record.misses = misses;
  return record;
}

constexpr OutputMoved kNoOutput = std::nullopt;

WrappingMs after_ms(uint32_t ms) { return WrappingMs(kNowMs).plus_ms(ms); }

TEST(Liveness, GrantsWithinTheBoundsAndTheDefaultForNoWish) {
  const LivenessSettings settings{
      .heartbeat_default_s = 30, .heartbeat_min_s = 5, .heartbeat_max_s = 600};
  EXPECT_EQ(granted_heartbeat_s(settings, 0), 30);
  EXPECT_EQ(granted_heartbeat_s(settings, 1), 5);
  EXPECT_EQ(granted_heartbeat_s(settings, 60), 60);
  EXPECT_EQ(granted_heartbeat_s(settings, 65535), 600);
}

TEST(Liveness, TimeoutIsTheHeartbeatTimesTheMisses) {
  EXPECT_EQ(open_session(30, 3).timeout_s(), 90);
  EXPECT_EQ(open_session(30, 3).timeout_ms(), 90'000u);
  EXPECT_EQ(open_session(655, 100).timeout_s(), 65'500);  // the longest that may be set
}

TEST(Liveness, PingsAfterOneIntervalAndGraceAndNotBefore) {
  const LivenessSettings settings;
  const HotRecord record = open_session(10, 3);
  EXPECT_EQ(next_due(record, kNoOutput, settings), after_ms(10'501));
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(10'500)), DueAction::kNothing);
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(10'501)), DueAction::kSendPing);
}

TEST(Liveness, EvictsAtTheTimeoutAndNotBefore) {
  const LivenessSettings settings;
  HotRecord record = open_session(10, 3);
  record.is_pinged = true;
  EXPECT_EQ(next_due(record, kNoOutput, settings), after_ms(30'001));
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(30'000)), DueAction::kNothing);
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(30'001)), DueAction::kEvict);
}

TEST(Liveness, OneMissLeavesNoTimeForAPing) {
  const LivenessSettings settings;
  const HotRecord record = open_session(10, 1);
  EXPECT_EQ(next_due(record, kNoOutput, settings), after_ms(10'001));
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(10'001)), DueAction::kEvict);
}

TEST(Liveness, BlockedOutputIsLookedAtBeforeTheHeartbeat) {
  const LivenessSettings settings{.write_stall_ms = 2000};
  const HotRecord record = open_session(10, 3);
  const OutputMoved output_moved = WrappingMs(kNowMs);
  EXPECT_EQ(next_due(record, output_moved, settings), after_ms(2001));
  EXPECT_EQ(due_action(record, output_moved, settings, after_ms(2000)), DueAction::kNothing);
  EXPECT_EQ(due_action(record, output_moved, settings, after_ms(2001)), DueAction::kWriteStall);
}

TEST(Liveness, EveryStateBeforeWelcomeHasTheHelloTimeout) {
  const LivenessSettings settings{.hello_timeout_ms = 8000};
  for (const SessionState state : {SessionState::kAwaitProxyHeader, SessionState::kAwaitTransport,
                                   SessionState::kAwaitProtocol, SessionState::kAwaitHello}) {
    HotRecord record = open_session(10, 3);
    record.state = state;
    EXPECT_EQ(next_due(record, kNoOutput, settings), after_ms(8001));
    EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(8000)), DueAction::kNothing);
    EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(8001)), DueAction::kHelloTimeout);
  }
}

TEST(Liveness, AHandshakeHasATimeoutOfItsOwn) {
  const LivenessSettings settings{.tls_handshake_timeout_ms = 5000};
  HotRecord record = open_session(10, 3);
  record.state = SessionState::kTlsHandshake;
  EXPECT_EQ(next_due(record, kNoOutput, settings), after_ms(5001));
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(5000)), DueAction::kNothing);
  EXPECT_EQ(due_action(record, kNoOutput, settings, after_ms(5001)), DueAction::kTlsTimeout);
}

TEST(Liveness, LingeringEnds) {
  HotRecord record = open_session(10, 3);
  record.state = SessionState::kLingering;
  EXPECT_EQ(due_action(record, kNoOutput, {}, after_ms(kLingerMs - 1)), DueAction::kNothing);
  EXPECT_EQ(due_action(record, kNoOutput, {}, after_ms(kLingerMs)), DueAction::kEndLinger);
}

}  // namespace
}  // namespace holdfast
