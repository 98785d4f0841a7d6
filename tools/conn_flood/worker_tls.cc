#include <utility>

#include "tools/conn_flood/worker.h"

// The worker's part that deals with TLS. A plain run comes here only to find that it has none.
namespace holdfast::flood {
namespace {

TlsCount version_count(int version) {
  return version == TLS1_2_VERSION ? TlsCount::kVersion12 : TlsCount::kVersion13;
}

}  // namespace

// The socket has just been connected.
void Worker::begin_tls(uint32_t index) {
  TlsSide& side = tls_sides_[index];
  side.link = std::make_unique<TlsLink>(*tls_, clients_[index].fd);
  side.began_us = now_us_;
  const std::string id = plan_.device_id(plan_number(index));
  if (side.link->prepare(target_of(index), id, std::move(side.ticket))) {
    shake_hands(index);
  } else {
    end(index, EndCause::kTlsFailed);
  }
}

void Worker::shake_hands(uint32_t index) {
  switch (tls_sides_[index].link->shake_hands()) {
    case IoStatus::kDone:
      on_secured(index);
      return;
    case IoStatus::kBlocked:
      return;
    case IoStatus::kEof:
      end(index, EndCause::kEof);
      return;
    case IoStatus::kReset:
      end(index, EndCause::kReset);
      return;
    case IoStatus::kTlsFailed:
      end(index, EndCause::kTlsFailed);
      return;
  }
}

void Worker::on_secured(uint32_t index) {
  const TlsSide& side = tls_sides_[index];
  const TlsLink& link = *side.link;
  read_clock();
  tally_.latencies.tls_handshake_us.record(now_us_ - side.began_us);
  counters()[link.is_resumed() ? TlsCount::kResumed : TlsCount::kFull].add();
  if (link.has_offered_ticket()) counters()[TlsCount::kTicketsOffered].add();
  counters()[version_count(link.version())].add();
  move(clients_[index], ClientEvent::kSecured);
  // What came right behind the handshake is no new edge; it may be why we are refused.
  read_frames(index, false);
  if (clients_[index].state == ClientState::kGreeting) send_hello(index);
}

// Of one that was not welcomed. What ended it once it was secured is TLS's fault only when TLS says
// so: in TLS 1.3 a server judges our certificate after we are through.
void Worker::count_tls_failure(uint32_t index, EndCause cause) {
  const bool in_handshake = clients_[index].state == ClientState::kSecuring;
  TlsFailure failure;
  if (cause == EndCause::kTlsFailed) {
    failure = tls_sides_[index].link->failure();
  } else if (cause == EndCause::kTimeout && in_handshake) {
    failure.kind = TlsFailureKind::kTimeout;
  } else if ((cause == EndCause::kEof || cause == EndCause::kReset) && in_handshake) {
    failure.kind = TlsFailureKind::kClosed;
  } else {
    return;
  }
  const auto kind = static_cast<size_t>(failure.kind);
  counters().tls_failures[kind].add();
  if (failure.kind == TlsFailureKind::kAlert) counters().tls_alerts[failure.code].add();
  std::atomic<uint32_t>& first_code = tally_.first_tls_codes[kind];
  if (first_code.load(std::memory_order_relaxed) == 0) {
    first_code.store(failure.code, std::memory_order_relaxed);
  }
}

void Worker::say_close(uint32_t index) {
  if (tls_ != nullptr && tls_sides_[index].link != nullptr) tls_sides_[index].link->say_close();
}

// Its ticket stays, for the client's next connection.
void Worker::release_tls(uint32_t index) {
  if (tls_ == nullptr) return;
  TlsSide& side = tls_sides_[index];
  if (side.link == nullptr) return;  // refused before it was connected
  side.ticket = side.link->take_ticket();
  side.link.reset();
}

}  // namespace holdfast::flood
