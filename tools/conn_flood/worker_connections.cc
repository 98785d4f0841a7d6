#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "common/check.h"
#include "tools/conn_flood/backoff.h"
#include "tools/conn_flood/socket.h"
#include "tools/conn_flood/worker.h"

// The worker's part that begins connections, ends them and counts what became of them.
namespace holdfast::flood {
namespace {

// Addresses that a GOAWAY may send clients to, for each worker: what a server says is not to grow a
// list without end.
constexpr size_t kOtherTargetsMax = 256;

Refusal refusal_of(int error) {
  switch (error) {
    case ECONNREFUSED:
      return Refusal::kConnectionRefused;
    case EADDRNOTAVAIL:
      return Refusal::kNoPort;
    case EMFILE:
    case ENFILE:
      return Refusal::kNoDescriptor;
    case ECONNRESET:
      return Refusal::kClosed;
    default:
      return Refusal::kUnreachable;
  }
}

Refusal refusal_of(EndCause cause) {
  switch (cause) {
    case EndCause::kTimeout:
      return Refusal::kTimeout;
    case EndCause::kProtocolError:
      return Refusal::kProtocolError;
    case EndCause::kTlsFailed:
      return Refusal::kTls;
    default:
      return Refusal::kClosed;
  }
}

}  // namespace

void Worker::settle(Client& client) {
  if (client.is_settled) return;
  client.is_settled = true;
  counters()[Count::kSettled].add();
  tally_.last_settled_us.store(run_.elapsed_us(), std::memory_order_relaxed);
}

void Worker::connect(uint32_t index, uint64_t planned_us) {
  Client& client = clients_[index];
  const bool slow = client.behaviour == Behaviour::kSlowReader;

  counters()[client.state == ClientState::kAway ? Count::kReconnects : Count::kConnectsStarted]
      .add();
  move(client, ClientEvent::kConnects);
  ++in_flight_;
  client.connect_planned_us = static_cast<uint32_t>(planned_us);
  client.state_due = now_ms().plus_ms(wait_ms_of(options_.welcome_timeout_s));
  ConnectAttempt attempt =
      start_connect(source_of(index), target_of(index), slow ? kSlowReaderRxBytes : 0);
  client.fd = attempt.socket.release();
  if (attempt.error != 0) {
    fail_connect(index, attempt.error);
  } else if (!watch(index)) {
    fail_connect(index, errno);
  } else {
    rearm(index);
  }
}

const Address& Worker::target_of(uint32_t index) const {
  if (clients_[index].moved_to > 0) return other_targets_[clients_[index].moved_to - 1u];
  return options_.targets[plan_.target_index(plan_number(index), options_.sources.size(),
                                             options_.targets.size())];
}

const Address* Worker::source_of(uint32_t index) const {
  if (options_.sources.empty()) return nullptr;
  const Address& source =
      options_.sources[plan_.source_index(plan_number(index), options_.sources.size())];
  return source.is_ipv4() == target_of(index).is_ipv4() ? &source : nullptr;
}

// Connects to this address from now on, as a draining server asked it to.
void Worker::move_target(Client& client, std::string_view address) {
  const Result<Address> target = Address::parse(address);
  const auto known = !target.is_ok()
                         ? other_targets_.end()
                         : std::find(other_targets_.begin(), other_targets_.end(), target.value());
  const bool has_room = other_targets_.size() < kOtherTargetsMax;
  if (!target.is_ok() || (known == other_targets_.end() && !has_room)) {
    counters()[Count::kMovesIgnored].add();
    return;
  }
  client.moved_to = static_cast<uint16_t>(known - other_targets_.begin() + 1);
  if (known == other_targets_.end()) other_targets_.push_back(target.value());
  counters()[Count::kMoved].add();
}

// Added once, edge-triggered, for all that it will ever wait for: no call to modify it later.
bool Worker::watch(uint32_t index) {
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u32 = index;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, clients_[index].fd, &event) == 0;
}

void Worker::fail_connect(uint32_t index, int error) {
  counters().refusals[static_cast<size_t>(refusal_of(error))].add();
  if (tally_.first_error.load(std::memory_order_relaxed) == 0) {
    tally_.first_error.store(error, std::memory_order_relaxed);
  }
  end(index, EndCause::kConnectError);
}

void Worker::end(uint32_t index, EndCause cause, const Goaway& goaway) {
  Client& client = clients_[index];
  EndFacts facts;
  facts.state = client.state;
  facts.behaviour = client.behaviour;
  facts.cause = cause;
  facts.code = goaway.code;
  facts.retry_after_ms = goaway.retry_after_ms;
  facts.before_deadline = eviction_deadline(client).ms_until(now_ms().plus_ms(kEarlySlackMs)) < 0;
  facts.reconnects = options_.reconnect || client.behaviour == Behaviour::kChurn;
  facts.run_is_ending = phase_ >= Phase::kEnd;
  const Verdict verdict = judge(facts);

  count_end(client, facts, verdict.ending);
  if (tls_ != nullptr && verdict.ending == Ending::kRefused) count_tls_failure(index, cause);
  if (cause == EndCause::kOwnChoice) say_close(index);
  release_socket(index);
  follow_verdict(index, verdict, goaway);
}

void Worker::count_end(const Client& client, const EndFacts& facts, Ending ending) {
  const bool welcomed = is_welcomed(client.state);
  if (welcomed) {
    counters()[Count::kClosedAfterWelcome].add();
    count_unanswered(client);
  }
  if (facts.cause == EndCause::kGoaway) {
    auto& by_code = welcomed ? counters().goaways : counters().refusals_by_goaway;
    by_code[goaway_kind(facts.code)].add();
  }
  switch (ending) {
    case Ending::kLeft:
      if (facts.cause == EndCause::kTimeout) counters()[Count::kGoodbyesUnanswered].add();
      break;
    case Ending::kRefused:
      if (facts.cause != EndCause::kGoaway && facts.cause != EndCause::kConnectError) {
        counters().refusals[static_cast<size_t>(refusal_of(facts.cause))].add();
      }
      break;
    case Ending::kEvicted:
    case Ending::kEvictedEarly:
      count_eviction(client, ending);
      break;
    case Ending::kClosedSlow:
      counters().fate(client.behaviour, Fate::kClosedSlow).add();
      break;
    case Ending::kDismissed:
      counters().fate(client.behaviour, Fate::kDismissed).add();
      break;
    case Ending::kLost:
      count_loss(client, facts.cause);
      break;
  }
}

void Worker::count_loss(const Client& client, EndCause cause) {
  const auto loss = [cause] {
    switch (cause) {
      case EndCause::kReset:
        return LossCause::kReset;
      case EndCause::kGoaway:
        return LossCause::kGoaway;
      case EndCause::kPongMissing:
        return LossCause::kPongMissing;
      case EndCause::kProtocolError:
      case EndCause::kTlsFailed:
        return LossCause::kProtocolError;
      default:
        return LossCause::kClosed;
    }
  }();
  counters().losses[static_cast<size_t>(loss)].add();
  counters().fate(client.behaviour, Fate::kLost).add();
}

void Worker::count_eviction(const Client& client, Ending ending) {
  has_seen_eviction_ = true;
  const int32_t delay_ms = eviction_deadline(client).ms_until(now_ms());
  tally_.latencies.eviction_delay_us.record(static_cast<uint64_t>(std::max(delay_ms, 0)) * 1000);
  if (ending == Ending::kEvicted) {
    counters().fate(client.behaviour, Fate::kEvicted).add();
    return;
  }
  counters().fate(client.behaviour, Fate::kEvictedEarly).add();
  const auto early_ms = static_cast<uint64_t>(std::max(-delay_ms, 0));
  if (early_ms > tally_.early_by_ms_max.load(std::memory_order_relaxed)) {
    tally_.early_by_ms_max.store(early_ms, std::memory_order_relaxed);
  }
}

// The oldest unanswered PING is missing if its time was up; the others' was not.
void Worker::count_unanswered(const Client& client) {
  if (client.pings_unanswered == 0) return;
  const uint64_t missing = pong_deadline(client).is_reached_at(now_ms()) ? 1 : 0;
  counters()[Count::kPongsMissing].add(missing);
  counters()[Count::kPongsAbandoned].add(client.pings_unanswered - missing);
}

void Worker::release_socket(uint32_t index) {
  Client& client = clients_[index];
  wheel_.cancel(index);
  if (!is_welcomed(client.state)) --in_flight_;
  if (client.state == ClientState::kSilent) --silent_;
  if (client.has_partial_input) partial_input_.erase(index);
  if (client.has_unsent_output) unsent_output_.erase(index);
  client.has_partial_input = false;
  client.has_unsent_output = false;
  client.has_act = false;
  client.pings_unanswered = 0;
  release_tls(index);
  if (client.fd >= 0) ::close(client.fd);  // leaves the epoll set by itself
  client.fd = -1;
}

void Worker::follow_verdict(uint32_t index, const Verdict& verdict, const Goaway& goaway) {
  Client& client = clients_[index];
  if (!is_welcomed(client.state) && client.failures < UINT8_MAX) ++client.failures;
  if (verdict.comes_back == Return::kNever) {
    move(client, ClientEvent::kEndsForGood);
    settle(client);
    ++gone_;
    return;
  }
  move(client, ClientEvent::kEndsForNow);
  if (goaway.code == GoawayCode::kDraining && !goaway.other_address.empty()) {
    move_target(client, goaway.other_address);
  }
  uint32_t wait_ms = 0;
  if (verdict.comes_back == Return::kAfterServerDelay) {
    wait_ms = std::min(goaway.retry_after_ms, kWaitMaxMs);
  } else if (verdict.comes_back == Return::kAfterBackoff) {
    wait_ms = draw_backoff_ms(client.failures, random_);
  }
  client.state_due = now_ms().plus_ms(wait_ms);
  rearm(index);
}

}  // namespace holdfast::flood
