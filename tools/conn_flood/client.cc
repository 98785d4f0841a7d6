#include "tools/conn_flood/client.h"

#include "common/check.h"

namespace holdfast::flood {
namespace {

// The "device should" column: whether coming back makes sense at all.
bool code_allows_return(GoawayCode code) {
  switch (code) {
    case GoawayCode::kHeartbeatTimeout:
    case GoawayCode::kShedIdle:
    case GoawayCode::kOverloaded:
    case GoawayCode::kDraining:
    case GoawayCode::kSlowConsumer:
    case GoawayCode::kNoHello:
    case GoawayCode::kRateLimited:
      return true;
    case GoawayCode::kGoodbye:
    case GoawayCode::kProtocolError:
    case GoawayCode::kUnauthorized:
    case GoawayCode::kTakenOver:
    case GoawayCode::kKicked:
    case GoawayCode::kFrameTooLarge:
      return false;
  }
  return false;
}

// Codes that say "not now" to a device that has done nothing wrong.
bool is_dismissal(GoawayCode code) {
  return code == GoawayCode::kShedIdle || code == GoawayCode::kOverloaded ||
         code == GoawayCode::kDraining || code == GoawayCode::kRateLimited;
}

Return return_after(const EndFacts& facts) {
  if (!facts.reconnects || facts.run_is_ending) return Return::kNever;
  if (facts.cause != EndCause::kGoaway) return Return::kAfterBackoff;
  if (!code_allows_return(facts.code)) return Return::kNever;
  return facts.retry_after_ms > 0 ? Return::kAfterServerDelay : Return::kAfterBackoff;
}

Ending silent_ending(const EndFacts& facts) {
  if (facts.cause != EndCause::kGoaway) return Ending::kLost;
  if (facts.code == GoawayCode::kHeartbeatTimeout) {
    return facts.before_deadline ? Ending::kEvictedEarly : Ending::kEvicted;
  }
  return is_dismissal(facts.code) ? Ending::kDismissed : Ending::kLost;
}

Verdict judge_live(const EndFacts& facts) {
  const Return comes_back = return_after(facts);
  const bool dismissed =
      facts.cause == EndCause::kGoaway && is_dismissal(facts.code) && comes_back != Return::kNever;
  return {dismissed ? Ending::kDismissed : Ending::kLost, comes_back};
}

Verdict judge_leaving(const EndFacts& facts) {
  const bool returns = facts.behaviour == Behaviour::kChurn && !facts.run_is_ending;
  return {Ending::kLeft, returns ? Return::kAtOnce : Return::kNever};
}

}  // namespace

std::optional<ClientState> next_state(ClientState state, ClientEvent event) {
  switch (event) {
    case ClientEvent::kConnects:
      if (state == ClientState::kUnborn || state == ClientState::kAway) {
        return ClientState::kConnecting;
      }
      return std::nullopt;
    case ClientEvent::kEstablished:
      if (state == ClientState::kConnecting) return ClientState::kGreeting;
      return std::nullopt;
    case ClientEvent::kSecures:
      if (state == ClientState::kConnecting) return ClientState::kSecuring;
      return std::nullopt;
    case ClientEvent::kSecured:
      if (state == ClientState::kSecuring) return ClientState::kGreeting;
      return std::nullopt;
    case ClientEvent::kWelcomed:
      if (state == ClientState::kGreeting) return ClientState::kLive;
      return std::nullopt;
    case ClientEvent::kFallsSilent:
      if (state == ClientState::kLive) return ClientState::kSilent;
      return std::nullopt;
    case ClientEvent::kGoesDeaf:
      if (state == ClientState::kLive) return ClientState::kDeaf;
      return std::nullopt;
    case ClientEvent::kLeaves:
      if (state == ClientState::kLive) return ClientState::kLeaving;
      return std::nullopt;
    case ClientEvent::kEndsForNow:
      if (has_socket(state)) return ClientState::kAway;
      return std::nullopt;
    case ClientEvent::kEndsForGood:
      if (state == ClientState::kGone) return std::nullopt;
      return ClientState::kGone;
  }
  return std::nullopt;
}

Verdict judge(const EndFacts& facts) {
  HF_CHECK(has_socket(facts.state));
  if (facts.state == ClientState::kLeaving) return judge_leaving(facts);
  if (facts.cause == EndCause::kOwnChoice) return judge_leaving(facts);
  if (!is_welcomed(facts.state)) return {Ending::kRefused, return_after(facts)};
  if (facts.state == ClientState::kSilent) return {silent_ending(facts), Return::kNever};
  if (facts.state == ClientState::kDeaf) return {Ending::kClosedSlow, Return::kNever};
  return judge_live(facts);
}

WrappingMs next_due(const Client& client, bool sends_pings) {
  HF_CHECK(client.state != ClientState::kUnborn && client.state != ClientState::kGone);
  if (client.state != ClientState::kLive) return client.state_due;
  // A heartbeat is at most 65,535 s, so this lies beyond whatever else may be due.
  WrappingMs due = client.next_ping;
  if (!sends_pings) due = due.plus_ms(uint32_t{UINT16_MAX} * 1000);
  if (client.has_act) due = earlier_of(due, client.state_due);
  if (client.pings_unanswered > 0) due = earlier_of(due, pong_deadline(client));
  return due;
}

uint32_t draw_ping_wait_ms(uint16_t heartbeat_s, Random& random) {
  const uint32_t interval_ms = uint32_t{heartbeat_s} * 1000;
  return interval_ms - random.below(interval_ms / 10);
}

}  // namespace holdfast::flood
