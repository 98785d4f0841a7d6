#include "tools/conn_flood/worker.h"

#include <algorithm>
#include <cerrno>

#include "common/check.h"

namespace holdfast::flood {
namespace {

// 17 minutes ahead in one round: a million clients that wait longer come up each round in vain.
constexpr uint32_t kWheelSlots = 1u << 18;

// What one turn does before it looks at sockets again, so that a crowd due at one moment delays
// nobody else's PONG by more than these.
constexpr size_t kStartsPerTurn = 32;
constexpr size_t kTimersPerTurn = 128;
constexpr uint32_t kFarewellsPerTurn = 64;
constexpr size_t kSecuredEventsPerTurn = 32;  // a handshake is half a millisecond's work

// Without a rate: attempts at a time, so that no listen backlog overflows (a dropped SYN costs a
// second).
constexpr uint32_t kInFlightMax = 256;

constexpr uint32_t kGoodbyeTimeoutMs = 10'000;
constexpr size_t kPingFloodBytes = size_t{32} * 1024;
constexpr size_t kRxBytes = size_t{64} * 1024;
constexpr uint64_t kNsPerUs = 1000;

uint32_t clients_of_worker(const Plan& plan, uint32_t number, uint32_t workers) {
  if (plan.connections() <= number) return 0;
  return (plan.connections() - number - 1) / workers + 1;
}

// What a slow reader sends at a time, with one more so that a send may begin anywhere within the
// first.
std::vector<std::byte> make_ping_flood() {
  std::array<std::byte, wire::kFrameBytesMax> frame{};
  const size_t bytes = wire::write_long_ping(frame);
  std::vector<std::byte> flood;
  while (flood.size() < kPingFloodBytes + bytes) {
    flood.insert(flood.end(), frame.begin(), frame.begin() + static_cast<ptrdiff_t>(bytes));
  }
  return flood;
}

}  // namespace

Worker::Worker(const Options& options, const Plan& plan, SharedRun& run,
               const TlsClientContext* tls, uint32_t number)
    : options_(options),
      plan_(plan),
      run_(run),
      tls_(tls),
      number_(number),
      workers_(run.worker_count()),
      clients_planned_(clients_of_worker(plan, number, workers_)),
      tally_(run.tally(number)),
      random_(options.seed ^ ((uint64_t{number} + 1) << 32)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wheel_(*this, WrappingMs(0), kTickMs, kWheelSlots),
      rx_(kRxBytes),
      ping_flood_(make_ping_flood()) {
  HF_CHECK(epoll_.is_open());  // its descriptor is among those reserved
  clients_.reserve(clients_planned_);
  if (tls_ != nullptr) tls_sides_.resize(clients_planned_);
}

void Worker::run() {
  while (gone_ < clients_planned_) {
    read_clock();
    follow_phase();
    const bool more_starts = start_due_clients();
    const bool more_timers = fire_due_timers();
    const bool more_farewells = say_farewells();
    if (gone_ == clients_planned_) break;
    wait_for_events(more_starts || more_timers || more_farewells);
  }
  tally_.is_finished.store(true, std::memory_order_release);
}

void Worker::read_clock() { now_us_ = run_.elapsed_us(); }

uint64_t Worker::full_us(WrappingMs moment) const {
  const int64_t ms_ago = moment.ms_until(now_ms());
  return static_cast<uint64_t>(static_cast<int64_t>(now_us_ / 1000) - ms_ago) * 1000;
}

void Worker::follow_phase() {
  const Phase phase = run_.phase();
  if (phase == phase_) return;
  const Phase before = phase_;
  phase_ = phase;
  if (phase == Phase::kHold) begin_hold();
  if (phase < Phase::kEnd) return;
  if (before < Phase::kEnd) drop_unborn_clients();
  farewell_cursor_ = 0;
}

void Worker::begin_hold() {
  hold_began_us_ = now_us_;
  calm_until_us_ = now_us_ + uint64_t{wait_ms_of(options_.calm_s)} * 1000;
  for (uint32_t index = 0; index < clients_.size(); ++index) {
    Client& client = clients_[index];
    if (client.state != ClientState::kLive || client.has_act) continue;
    plan_act(client);
    if (client.has_act) rearm(index);
  }
}

void Worker::drop_unborn_clients() {
  const auto unborn = clients_planned_ - static_cast<uint32_t>(clients_.size());
  counters()[Count::kNotStarted].add(unborn);
  gone_ += unborn;
}

// Returns true when more clients are due than one turn starts.
bool Worker::start_due_clients() {
  if (phase_ >= Phase::kEnd) return false;
  for (size_t started = 0; clients_.size() < clients_planned_; ++started) {
    const auto index = static_cast<uint32_t>(clients_.size());
    const uint64_t planned_us = plan_.connect_at_us(plan_number(index));
    const bool is_paced = options_.rate_per_s > 0;
    if (is_paced ? planned_us > now_us_ : in_flight_ >= kInFlightMax) return false;
    if (started == kStartsPerTurn) return true;
    clients_.emplace_back();
    clients_.back().behaviour = plan_.behaviour(plan_number(index));
    clients_.back().leaves_by_goaway = (index & 1) != 0;
    if (!is_paced) read_clock();
    connect(index, is_paced ? planned_us : now_us_);
  }
  return false;
}

bool Worker::fire_due_timers() {
  return !wheel_.advance(now_ms(), kTimersPerTurn, [this](uint32_t index) { on_due(index); });
}

// In the last phases: tells every client, a slice at a time. Returns true when there are more.
bool Worker::say_farewells() {
  if (phase_ < Phase::kEnd) return false;
  const auto end = static_cast<uint32_t>(clients_.size());
  const uint32_t slice_end = std::min(end, farewell_cursor_ + kFarewellsPerTurn);
  for (; farewell_cursor_ < slice_end; ++farewell_cursor_) farewell(farewell_cursor_);
  return farewell_cursor_ < end;
}

void Worker::wait_for_events(bool has_more_to_do) {
  timespec timeout{};
  if (!has_more_to_do) timeout.tv_nsec = static_cast<long>(ns_until_next_wake());
  const size_t room = tls_ == nullptr ? events_.size() : kSecuredEventsPerTurn;
  const int count =
      ::epoll_pwait2(epoll_.get(), events_.data(), static_cast<int>(room), &timeout, nullptr);
  HF_CHECK(count >= 0 || errno == EINTR);
  read_clock();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events_[static_cast<size_t>(i)];
    on_event(event.data.u32, event.events);
  }
}

// To the next tick of the wheel, or the next planned connect if that is sooner.
uint64_t Worker::ns_until_next_wake() const {
  constexpr uint64_t kTickUs = uint64_t{kTickMs} * 1000;
  uint64_t wake_us = (now_us_ / kTickUs + 1) * kTickUs;
  const auto index = static_cast<uint32_t>(clients_.size());
  if (options_.rate_per_s > 0 && index < clients_planned_) {
    wake_us = std::min(wake_us, plan_.connect_at_us(plan_number(index)));
  }
  const uint64_t now_us = run_.elapsed_us();
  return wake_us > now_us ? (wake_us - now_us) * kNsPerUs : 0;
}

void Worker::move(Client& client, ClientEvent event) {
  const std::optional<ClientState> next = next_state(client.state, event);
  HF_CHECK(next.has_value());
  client.state = *next;
}

void Worker::rearm(uint32_t index) {
  wheel_.rearm(index, next_due(clients_[index], phase_ < Phase::kEnd));
}

void Worker::on_due(uint32_t index) {
  Client& client = clients_[index];
  // Beyond the wheel's horizon, or moved meanwhile.
  if (!next_due(client, phase_ < Phase::kEnd).is_reached_at(now_ms())) return rearm(index);
  switch (client.state) {
    case ClientState::kConnecting:
    case ClientState::kSecuring:
    case ClientState::kGreeting:
    case ClientState::kLeaving:
      end(index, EndCause::kTimeout);
      return;
    case ClientState::kLive:
      on_live_due(index);
      return;
    case ClientState::kSilent:
      on_silent_due(index);
      return;
    case ClientState::kDeaf:
      send_ping_flood(index);
      return;
    case ClientState::kAway:
      connect(index, full_us(client.state_due));
      return;
    case ClientState::kUnborn:
    case ClientState::kGone:
      HF_CHECK(false);
  }
}

void Worker::on_live_due(uint32_t index) {
  Client& client = clients_[index];
  if (client.pings_unanswered > 0 && pong_deadline(client).is_reached_at(now_ms())) {
    end(index, EndCause::kPongMissing);
    return;
  }
  if (client.has_act && client.state_due.is_reached_at(now_ms())) {
    act(index);
    return;
  }
  if (client.next_ping.is_reached_at(now_ms()) && phase_ < Phase::kEnd) {
    if (falls_silent_now(client)) return act(index);
    send_ping(index);
  }
  rearm(index);
}

// Instead of its next PING: nothing else tells a client that has fallen silent from one whose PING
// is not due yet, and so a crowd that falls silent is no crowd that acts in one moment.
bool Worker::falls_silent_now(const Client& client) const {
  return falls_silent(client.behaviour) && !options_.mute_after_s.has_value() &&
         phase_ == Phase::kHold && now_us_ >= calm_until_us_;
}

void Worker::on_silent_due(uint32_t index) {
  Client& client = clients_[index];
  const WrappingMs overdue = eviction_deadline(client).plus_ms(kOverdueMs);
  if (!overdue.is_reached_at(now_ms())) {  // its timeout was changed meanwhile
    client.state_due = overdue;
    rearm(index);
    return;
  }
  client.is_overdue = true;  // waits for its eviction all the same, without a timer
  counters().fate(client.behaviour, Fate::kOverdue).add();
}

// The end of the calm, or now if that is over.
WrappingMs Worker::acts_begin() const {
  return WrappingMs(static_cast<uint32_t>(std::max(now_us_, calm_until_us_) / 1000));
}

// When a client just welcomed, or held, is to misbehave or leave.
void Worker::plan_act(Client& client) {
  const bool holding = phase_ == Phase::kHold;
  switch (client.behaviour) {
    case Behaviour::kSteady:
      return;
    case Behaviour::kMute:
    case Behaviour::kHalfFrame:
      client.has_act = options_.mute_after_s.has_value();
      if (client.has_act) client.state_due = now_ms().plus_ms(wait_ms_of(*options_.mute_after_s));
      return;
    case Behaviour::kSlowReader:
      client.state_due = acts_begin();
      client.has_act = holding;
      return;
    case Behaviour::kChurn:
      client.state_due =
          acts_begin().plus_ms(random_.below(wait_ms_of(2 * options_.churn_life_s)) + 1);
      client.has_act = holding;
      return;
  }
}

void Worker::act(uint32_t index) {
  Client& client = clients_[index];
  client.has_act = false;
  switch (client.behaviour) {
    case Behaviour::kSteady:
      HF_CHECK(false);
      return;
    case Behaviour::kMute:
      fall_silent(index);
      return;
    case Behaviour::kHalfFrame: {
      const WrappingMs last_frame = client.last_frame;
      send_frame(index, wire::write_half_ping(tx_));
      client.last_frame = last_frame;  // half a frame is no sign of life
      fall_silent(index);
      return;
    }
    case Behaviour::kSlowReader:
      counters()[Count::kPongsAbandoned].add(client.pings_unanswered);
      client.pings_unanswered = 0;
      move(client, ClientEvent::kGoesDeaf);
      client.state_due = now_ms();
      rearm(index);
      return;
    case Behaviour::kChurn:
      leave_churning(index);
      return;
  }
}

void Worker::fall_silent(uint32_t index) {
  Client& client = clients_[index];
  move(client, ClientEvent::kFallsSilent);
  ++silent_;
  client.state_due = eviction_deadline(client).plus_ms(kOverdueMs);
  rearm(index);
}

void Worker::leave(uint32_t index) {
  Client& client = clients_[index];
  send_frame(index, wire::write_goodbye(tx_));
  counters()[Count::kGoodbyes].add();
  move(client, ClientEvent::kLeaves);
  client.state_due = now_ms().plus_ms(kGoodbyeTimeoutMs);
  rearm(index);
}

// Every other time with a GOAWAY; half of the clients begin with one.
void Worker::leave_churning(uint32_t index) {
  Client& client = clients_[index];
  counters()[Count::kChurned].add();
  client.leaves_by_goaway = !client.leaves_by_goaway;
  if (client.leaves_by_goaway) {
    leave(index);
  } else {
    end(index, EndCause::kOwnChoice);
  }
}

// The run is ending: what each state does about it. Called twice when a signal cuts the end short.
void Worker::farewell(uint32_t index) {
  Client& client = clients_[index];
  switch (client.state) {
    case ClientState::kUnborn:
      HF_CHECK(false);
      return;
    case ClientState::kGone:
    case ClientState::kLeaving:
      return;
    case ClientState::kConnecting:
    case ClientState::kSecuring:
    case ClientState::kGreeting:
    case ClientState::kAway:
      break;
    case ClientState::kLive:
      if (options_.goodbye && client.pings_unanswered > 0 && phase_ == Phase::kEnd) {
        client.has_act = false;
        rearm(index);  // leaves when its PONG comes
        return;
      }
      // It was to fall silent, and its next PING would have come later.
      if (falls_silent(client.behaviour)) counters()[Count::kEvictionsPending].add();
      if (options_.goodbye) {
        leave(index);
        return;
      }
      break;
    case ClientState::kSilent:
      if (!client.is_overdue) counters()[Count::kEvictionsPending].add();
      break;
    case ClientState::kDeaf:
      counters()[Count::kSlowReadersOpen].add();
      break;
  }
  retire(index);
}

// Gone without a word, of our own will.
void Worker::retire(uint32_t index) {
  Client& client = clients_[index];
  if (!is_welcomed(client.state)) {
    if (client.was_welcomed && client.failures > 0) counters()[Count::kAwayAtEnd].add();
    if (!client.was_welcomed && client.failures == 0) counters()[Count::kUnfinished].add();
  }
  if (has_socket(client.state)) {
    if (is_welcomed(client.state)) {
      counters()[Count::kClosedAfterWelcome].add();
      count_unanswered(client);
    }
    say_close(index);
    release_socket(index);
  } else {
    wheel_.cancel(index);
  }
  move(client, ClientEvent::kEndsForGood);
  settle(client);
  ++gone_;
}

}  // namespace holdfast::flood
