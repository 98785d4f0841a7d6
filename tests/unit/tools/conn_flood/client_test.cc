#include "tools/conn_flood/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <vector>

namespace holdfast::flood {
namespace {

using enum ClientState;
using enum ClientEvent;

struct Step {
  ClientState from;
  ClientEvent event;
  ClientState to;
};

// All steps that there are; every other pair is a bug of the worker's.
const std::vector<Step> kSteps = {
    {kUnborn, kConnects, kConnecting},
    {kUnborn, kEndsForGood, kGone},
    {kConnecting, kEstablished, kGreeting},
    {kConnecting, kSecures, kSecuring},
    {kConnecting, kEndsForNow, kAway},
    {kConnecting, kEndsForGood, kGone},
    {kSecuring, kSecured, kGreeting},
    {kSecuring, kEndsForNow, kAway},
    {kSecuring, kEndsForGood, kGone},
    {kGreeting, kWelcomed, kLive},
    {kGreeting, kEndsForNow, kAway},
    {kGreeting, kEndsForGood, kGone},
    {kLive, kFallsSilent, kSilent},
    {kLive, kGoesDeaf, kDeaf},
    {kLive, kLeaves, kLeaving},
    {kLive, kEndsForNow, kAway},
    {kLive, kEndsForGood, kGone},
    {kSilent, kEndsForNow, kAway},
    {kSilent, kEndsForGood, kGone},
    {kDeaf, kEndsForNow, kAway},
    {kDeaf, kEndsForGood, kGone},
    {kLeaving, kEndsForNow, kAway},
    {kLeaving, kEndsForGood, kGone},
    {kAway, kConnects, kConnecting},
    {kAway, kEndsForGood, kGone},
};

TEST(ClientState, TakesTheseStepsAndNoOther) {
  for (size_t state = 0; state < kClientStateCount; ++state) {
    for (size_t event = 0; event < kClientEventCount; ++event) {
      const auto from = static_cast<ClientState>(state);
      const auto what = static_cast<ClientEvent>(event);
      const auto step = std::find_if(kSteps.begin(), kSteps.end(), [&](const Step& candidate) {
        return candidate.from == from && candidate.event == what;
      });
      const std::optional<ClientState> next = next_state(from, what);
      ASSERT_EQ(next.has_value(), step != kSteps.end()) << state << " " << event;
      if (next.has_value()) {
        EXPECT_EQ(*next, step->to) << state << " " << event;
      }
    }
  }
}

TEST(ClientState, WelcomedOnesHaveASocket) {
  EXPECT_FALSE(has_socket(kUnborn));
  EXPECT_TRUE(has_socket(kConnecting));
  EXPECT_TRUE(has_socket(kSecuring));
  EXPECT_FALSE(is_welcomed(kSecuring));
  EXPECT_FALSE(is_welcomed(kGreeting));
  for (const ClientState state : {kLive, kSilent, kDeaf, kLeaving}) {
    EXPECT_TRUE(is_welcomed(state));
    EXPECT_TRUE(has_socket(state));
  }
  EXPECT_FALSE(has_socket(kAway));
  EXPECT_FALSE(has_socket(kGone));
}

EndFacts goaway(ClientState state, GoawayCode code, bool reconnects, uint32_t retry_after_ms = 0) {
  EndFacts facts;
  facts.state = state;
  facts.cause = EndCause::kGoaway;
  facts.code = code;
  facts.reconnects = reconnects;
  facts.retry_after_ms = retry_after_ms;
  return facts;
}

EndFacts broken(ClientState state, EndCause cause, bool reconnects) {
  EndFacts facts;
  facts.state = state;
  facts.cause = cause;
  facts.reconnects = reconnects;
  return facts;
}

void expect_verdict(const EndFacts& facts, Ending ending, Return comes_back) {
  const Verdict verdict = judge(facts);
  EXPECT_EQ(verdict.ending, ending) << "code " << static_cast<int>(facts.code);
  EXPECT_EQ(verdict.comes_back, comes_back) << "code " << static_cast<int>(facts.code);
}

TEST(Judge, LiveClientFollowsTheTableOfCodes) {
  const auto verdict = [](GoawayCode code, Ending ending, Return comes_back) {
    expect_verdict(goaway(kLive, code, true), ending, comes_back);
    expect_verdict(goaway(kLive, code, false), Ending::kLost, Return::kNever);
  };
  verdict(GoawayCode::kGoodbye, Ending::kLost, Return::kNever);
  verdict(GoawayCode::kProtocolError, Ending::kLost, Return::kNever);
  verdict(GoawayCode::kUnauthorized, Ending::kLost, Return::kNever);
  verdict(GoawayCode::kTakenOver, Ending::kLost, Return::kNever);
  verdict(GoawayCode::kHeartbeatTimeout, Ending::kLost, Return::kAfterBackoff);
  verdict(GoawayCode::kShedIdle, Ending::kDismissed, Return::kAfterBackoff);
  verdict(GoawayCode::kOverloaded, Ending::kDismissed, Return::kAfterBackoff);
  verdict(GoawayCode::kDraining, Ending::kDismissed, Return::kAfterBackoff);
  verdict(GoawayCode::kSlowConsumer, Ending::kLost, Return::kAfterBackoff);
  verdict(GoawayCode::kKicked, Ending::kLost, Return::kNever);
  verdict(GoawayCode::kNoHello, Ending::kLost, Return::kAfterBackoff);
  verdict(GoawayCode::kFrameTooLarge, Ending::kLost, Return::kNever);
  verdict(GoawayCode::kRateLimited, Ending::kDismissed, Return::kAfterBackoff);
  verdict(static_cast<GoawayCode>(4999), Ending::kLost, Return::kNever);
}

TEST(Judge, ServersDelayWinsOverBackoff) {
  expect_verdict(goaway(kLive, GoawayCode::kDraining, true, 1500), Ending::kDismissed,
                 Return::kAfterServerDelay);
  expect_verdict(goaway(kGreeting, GoawayCode::kOverloaded, true, 1500), Ending::kRefused,
                 Return::kAfterServerDelay);
  expect_verdict(goaway(kLive, GoawayCode::kKicked, true, 1500), Ending::kLost, Return::kNever);
}

TEST(Judge, BrokenConnectionIsALossAndComesBackWhenTold) {
  for (const EndCause cause : {EndCause::kEof, EndCause::kReset, EndCause::kPongMissing,
                               EndCause::kProtocolError, EndCause::kTlsFailed}) {
    expect_verdict(broken(kLive, cause, false), Ending::kLost, Return::kNever);
    expect_verdict(broken(kLive, cause, true), Ending::kLost, Return::kAfterBackoff);
  }
}

TEST(Judge, BeforeWelcomeItIsARefusal) {
  for (const ClientState state : {kConnecting, kSecuring, kGreeting}) {
    for (const EndCause cause : {EndCause::kConnectError, EndCause::kEof, EndCause::kReset,
                                 EndCause::kTimeout, EndCause::kTlsFailed}) {
      expect_verdict(broken(state, cause, false), Ending::kRefused, Return::kNever);
      expect_verdict(broken(state, cause, true), Ending::kRefused, Return::kAfterBackoff);
    }
  }
  expect_verdict(goaway(kGreeting, GoawayCode::kUnauthorized, true), Ending::kRefused,
                 Return::kNever);
}

TEST(Judge, SilentClientExpectsItsEvictionAndStaysAway) {
  EndFacts facts = goaway(kSilent, GoawayCode::kHeartbeatTimeout, true);
  expect_verdict(facts, Ending::kEvicted, Return::kNever);
  facts.before_deadline = true;
  expect_verdict(facts, Ending::kEvictedEarly, Return::kNever);
  expect_verdict(goaway(kSilent, GoawayCode::kShedIdle, true), Ending::kDismissed, Return::kNever);
  expect_verdict(goaway(kSilent, GoawayCode::kProtocolError, true), Ending::kLost, Return::kNever);
  expect_verdict(broken(kSilent, EndCause::kEof, true), Ending::kLost, Return::kNever);
  expect_verdict(broken(kSilent, EndCause::kReset, true), Ending::kLost, Return::kNever);
}

TEST(Judge, SlowReaderExpectsToBeClosedHowever) {
  expect_verdict(goaway(kDeaf, GoawayCode::kSlowConsumer, true), Ending::kClosedSlow,
                 Return::kNever);
  expect_verdict(broken(kDeaf, EndCause::kReset, false), Ending::kClosedSlow, Return::kNever);
  expect_verdict(broken(kDeaf, EndCause::kEof, false), Ending::kClosedSlow, Return::kNever);
}

TEST(Judge, OnlyAChurningClientComesBackFromLeaving) {
  EndFacts facts = broken(kLeaving, EndCause::kEof, true);
  expect_verdict(facts, Ending::kLeft, Return::kNever);
  facts.behaviour = Behaviour::kChurn;
  expect_verdict(facts, Ending::kLeft, Return::kAtOnce);
  facts.state = kLive;
  facts.cause = EndCause::kOwnChoice;
  expect_verdict(facts, Ending::kLeft, Return::kAtOnce);
  facts.run_is_ending = true;
  expect_verdict(facts, Ending::kLeft, Return::kNever);
}

TEST(Judge, NobodyComesBackWhenTheRunIsEnding) {
  EndFacts facts = goaway(kLive, GoawayCode::kDraining, true, 10);
  facts.run_is_ending = true;
  expect_verdict(facts, Ending::kLost, Return::kNever);
}

Client live_client() {
  Client client;
  client.state = kLive;
  client.heartbeat_s = 10;
  client.timeout_s = 30;
  client.next_ping = WrappingMs(8000);
  return client;
}

TEST(NextDue, LiveClientWaitsForWhateverIsFirst) {
  Client client = live_client();
  EXPECT_EQ(next_due(client, true), WrappingMs(8000));

  client.has_act = true;
  client.state_due = WrappingMs(5000);
  EXPECT_EQ(next_due(client, true), WrappingMs(5000));

  client.pings_unanswered = 1;
  client.waiting_since = WrappingMs(static_cast<uint32_t>(-26'000));  // 26 s before zero
  EXPECT_EQ(next_due(client, true), WrappingMs(4000));
}

TEST(NextDue, WithoutPingsOnlyTheUnansweredOneCounts) {
  Client client = live_client();
  client.pings_unanswered = 1;
  client.waiting_since = WrappingMs(7000);
  EXPECT_EQ(next_due(client, false), WrappingMs(37'000));
}

TEST(NextDue, OtherStatesHaveOneTime) {
  Client client = live_client();
  client.state_due = WrappingMs(99'000);
  for (const ClientState state :
       {kConnecting, kSecuring, kGreeting, kSilent, kDeaf, kLeaving, kAway}) {
    client.state = state;
    EXPECT_EQ(next_due(client, true), WrappingMs(99'000));
  }
}

TEST(HeartbeatAsked, IsItsOwnForThoseThatWillFallSilent) {
  Options options;
  options.heartbeat_s = 600;
  EXPECT_EQ(heartbeat_asked_s(options, Behaviour::kMute), 600);
  options.mute_heartbeat_s = uint16_t{180};
  EXPECT_EQ(heartbeat_asked_s(options, Behaviour::kMute), 180);
  EXPECT_EQ(heartbeat_asked_s(options, Behaviour::kHalfFrame), 180);
  EXPECT_EQ(heartbeat_asked_s(options, Behaviour::kSteady), 600);
  EXPECT_EQ(heartbeat_asked_s(options, Behaviour::kChurn), 600);
}

TEST(PingWait, IsNeverLongerThanTheIntervalNorMuchShorter) {
  Random random(3);
  for (const uint16_t heartbeat_s : std::initializer_list<uint16_t>{1, 30, UINT16_MAX}) {
    for (int i = 0; i < 5000; ++i) {
      const uint32_t wait_ms = draw_ping_wait_ms(heartbeat_s, random);
      EXPECT_LE(wait_ms, heartbeat_s * 1000u);
      EXPECT_GT(wait_ms, heartbeat_s * 900u);
    }
  }
}

TEST(PingWait, WholeTicksAreNeverLater) {
  EXPECT_EQ(whole_tick(WrappingMs(1000)), WrappingMs(1000));
  EXPECT_EQ(whole_tick(WrappingMs(1003)), WrappingMs(1000));
  EXPECT_EQ(whole_tick(WrappingMs(UINT32_MAX)), WrappingMs(UINT32_MAX - 3));
}

}  // namespace
}  // namespace holdfast::flood
