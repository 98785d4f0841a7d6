#include "gateway/session/session_state.h"

#include <gtest/gtest.h>

#include <array>

namespace holdfast {
namespace {

using enum FrameAction;

// Rows: states; columns: HELLO, WELCOME, PING, PONG, MESSAGE, ACK, SUBSCRIBE, UNSUBSCRIBE, GOAWAY.
constexpr auto kBad = kCloseProtocolError;
constexpr std::array<std::array<FrameAction, kFrameKinds>, kSessionStates> kTable = {{
    {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},    // kAwaitProxyHeader
    {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},    // kAwaitTransport
    {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},    // kTlsHandshake
    {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},    // kAwaitProtocol
    {kLogIn, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},  // kAwaitHello
    {kBad, kBad, kAnswerPing, kNoteAlive, kRouteMessage, kNoteAlive, kChangeSubscriptions,
     kChangeSubscriptions, kCloseGoodbye},                   // kOpen
    {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},  // kLingering
    {kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad, kBad},  // kClosed
}};

TEST(SessionState, EveryFrameInEveryStateDoesWhatTheTableSays) {
  for (size_t state = 0; state < kSessionStates; ++state) {
    for (size_t kind = 0; kind < kFrameKinds; ++kind) {
      EXPECT_EQ(action_for(static_cast<SessionState>(state), static_cast<FrameKind>(kind)),
                kTable[state][kind])
          << "state " << state << ", frame " << kind;
    }
  }
}

TEST(SessionState, KindsFollowTheAlternativesOfFrame) {
  EXPECT_EQ(kind_of(Hello{}), FrameKind::kHello);
  EXPECT_EQ(kind_of(Welcome{}), FrameKind::kWelcome);
  EXPECT_EQ(kind_of(Ping{}), FrameKind::kPing);
  EXPECT_EQ(kind_of(Pong{}), FrameKind::kPong);
  EXPECT_EQ(kind_of(Message{}), FrameKind::kMessage);
  EXPECT_EQ(kind_of(Ack{}), FrameKind::kAck);
  EXPECT_EQ(kind_of(Subscribe{}), FrameKind::kSubscribe);
  EXPECT_EQ(kind_of(Unsubscribe{}), FrameKind::kUnsubscribe);
  EXPECT_EQ(kind_of(Goaway{}), FrameKind::kGoaway);
}

}  // namespace
}  // namespace holdfast
