#include <algorithm>
#include <utility>

#include "gateway/route/session_loop.h"

namespace holdfast {

namespace {

std::string_view tls_text(const TlsConnection* tls) {
  if (tls == nullptr) return {};
  return tls->records.version() == TlsVersion::k13 ? "TLSv1.3" : "TLSv1.2";
}

}  // namespace

bool SessionLoop::is_session(SessionRef ref) const {
  return table_.is_current(ref.slot(), ref.generation()) &&
         table_.hot(ref.slot()).state == SessionState::kOpen;
}

void SessionLoop::reply(LoopReply&& reply) {
  // A full lane means that the control thread has fallen far behind: its request runs into its own
  // time limit and is answered so.
  if (!router_.control_mailbox().post(router_.loop_lane(index_), std::move(reply))) {
    counters_.stale_commands.add();
  }
}

void SessionLoop::handle(AdoptSocket&& command) {
  AcceptedSocket& accepted = command.accepted;
  const bool has_room = !accepted.needs_room || shed_one();
  const uint32_t slot = has_room ? table_.allocate() : kNoSlot;
  if (slot == kNoSlot) return turn_away(accepted);
  HotRecord& record = table_.hot(slot);
  ColdRecord& cold = table_.cold(slot);
  record.fd = accepted.socket.release();
  record.last_activity = now_;
  cold.peer.set_address(accepted.peer);
  identity_bytes_ += cold.peer.heap_bytes();
  cold.listener = accepted.listener;
  record.state = accepted.has_proxy_header ? SessionState::kAwaitProxyHeader : first_state(slot);
  cold.address_epoch = accepted.address_epoch;
  // Behind a balancer there is nothing to release until its header has told the address.
  cold.is_address_counted = accepted.address_epoch != 0 && !accepted.has_proxy_header;
  cold.connected_at = now_;
  table_.awaiting_hello.push_newest(slot);
  schedule(slot);
  if (!loop_.poller().add(record.fd, slot, record.generation)) {
    close(slot, CloseReason::kOverloaded);
  }
}

// No slot: as good as never adopted, but the accept thread has counted it.
void SessionLoop::turn_away(AcceptedSocket& accepted) {
  counters_.closed[static_cast<size_t>(CloseReason::kOverloaded)].add();
  if (accepted.address_epoch != 0 && !accepted.has_proxy_header) {
    outbox_.post_to_acceptor(AddressReleased{accepted.peer, accepted.address_epoch});
  }
  accepted.socket.reset();
  load_.closed.add();
}

void SessionLoop::handle(Kick&& command) {
  const SessionRef target = command.target;
  // An address is refused while its connection may not have said HELLO yet.
  const bool is_found = command.reason == CloseReason::kAddressLimit
                            ? table_.is_current(target.slot(), target.generation())
                            : is_session(target);
  if (is_found) {
    close(target.slot(), command.reason);
  } else {
    counters_.stale_commands.add();
  }
  if (command.request != 0) reply(KickDone{command.request, is_found});
}

void SessionLoop::handle(SetHeartbeat&& command) {
  const bool is_found = is_session(command.target);
  if (is_found) {
    table_.cold(command.target.slot()).granted_heartbeat_s = command.heartbeat_s;
    table_.hot(command.target.slot()).has_grant = true;
  } else {
    counters_.stale_commands.add();
  }
  if (command.request != 0) reply(HeartbeatSet{command.request, is_found});
}

void SessionLoop::handle(DescribeSession&& command) {
  SessionDescribed described{command.request, nullptr};
  if (is_session(command.target)) {
    described.view = std::make_unique<SessionView>(view_of(command.target.slot()));
  } else {
    counters_.stale_commands.add();
  }
  reply(std::move(described));
}

void SessionLoop::handle(ListSessions&& command) {
  SessionsListed listed{command.request, {}, std::nullopt};
  const uint32_t end = table_.end_slot();
  const uint32_t looked_at_end =
      static_cast<uint32_t>(std::min<uint64_t>(end, uint64_t{command.from_slot} + kListSlots));
  uint32_t slot = command.from_slot;
  for (; slot < looked_at_end && listed.views.size() < command.entries_max; ++slot) {
    if (table_.is_used(slot) && table_.hot(slot).state == SessionState::kOpen) {
      listed.views.push_back(view_of(slot));
    }
  }
  if (slot < end) listed.next_slot = slot;
  reply(std::move(listed));
}

void SessionLoop::handle(StartDrain&& command) {
  is_draining_ = true;
  drain_window_ms_ = command.reconnect_window_ms;
  // A quarter of a second's worth at once, so that the pace shows within a tick.
  const double burst = std::max(1.0, command.rate_per_s / 4);
  drain_rate_ = TokenBucket(command.rate_per_s, burst, monotonic_us());
}

void SessionLoop::handle(StopDrain&&) { is_draining_ = false; }

void SessionLoop::handle(ApplySettings&& command) {
  settings_ = std::move(command.settings);
  desk_.set_begun_max(settings_->tls_handshakes_max);
  desk_.set_kept_max(settings_->tls_idle_steps);
}

void SessionLoop::handle(StopLoop&&) {
  // Whoever is not told by then learns it from the closed socket.
  constexpr uint64_t kFarewellUs = 500'000;
  const uint64_t stop_us = monotonic_us() + kFarewellUs;
  for (const auto* list : {&table_.awaiting_hello, &table_.sessions}) {
    while (!list->is_empty() && monotonic_us() < stop_us) {
      close(list->idlest(), CloseReason::kShutdown);
    }
  }
  end_round();
  loop_.stop();
}

SessionView SessionLoop::view_of(uint32_t slot) {
  const HotRecord& record = table_.hot(slot);
  const ColdRecord& cold = table_.cold(slot);
  const ConnectionIo* const io = table_.io(slot);
  const Attributes attributes = cold.peer.attributes();
  const auto ms_since = [this](WrappingMs moment) {
    return static_cast<uint32_t>(std::max(0, moment.ms_until(now_)));
  };
  return {.device_id = std::string(cold.peer.device_id()),
          .user = std::string(attributes.user),
          .app = std::string(attributes.app),
          .os = std::string(attributes.os),
          .net = std::string(attributes.net),
          .peer = cold.peer.address(),
          .listener = cold.listener,
          .tls = tls_text(table_.tls(slot)),
          .loop = index_,
          .session_id = session_id_of(slot),
          .connected_for_ms = ms_since(cold.connected_at),
          .idle_ms = ms_since(record.last_activity),
          .heartbeat_s = record.heartbeat_s,
          .timeout_s = record.timeout_s(),
          .next_heartbeat_s = cold.granted_heartbeat_s,
          .output_bytes = io == nullptr ? 0 : static_cast<uint32_t>(io->output.size())};
}

}  // namespace holdfast
