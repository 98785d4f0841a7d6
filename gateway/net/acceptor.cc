#include "gateway/net/acceptor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "common/clock.h"
#include "common/log.h"
#include "common/protocol/native.h"
#include "gateway/net/retry_delay.h"
#include "gateway/net/thread_priority.h"

namespace holdfast {
namespace {

constexpr Milliseconds kErrorBackoffFirst{150};
constexpr Milliseconds kErrorBackoffMax{1000};
constexpr Milliseconds kBusyPause{2};
constexpr size_t kMessagesPerRound = 1024;

// One connection was at fault, or none: the next accept may well succeed (accept(2), "Error
// handling").
bool is_passing_error(int error) {
  switch (error) {
    case ECONNABORTED:
    case EINTR:
    case EPROTO:
    case ENETDOWN:
    case ENOPROTOOPT:
    case EHOSTDOWN:
    case ENONET:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EPERM:
      return true;
    default:
      return false;
  }
}

}  // namespace

Acceptor::Acceptor(std::vector<ListenerSocket> listeners, LoopIndex loops, AcceptSink& sink,
                   const std::vector<size_t>& lane_capacities)
    : listeners_(std::move(listeners)),
      loops_(loops),
      sink_(sink),
      mailbox_(lane_capacities),
      admission_(AdmissionLimits{}, monotonic_us()),
      reconnect_window_ms_(kReconnectWindowMs),
      handed_(loops) {
  open_spare();
  for (size_t i = 0; i < listeners_.size(); ++i) {
    const auto index = static_cast<ListenerIndex>(i);
    listener_watches_.push_back(&base_.watch_readable(listeners_[i].socket.get(),
                                                      [this, index] { on_listener_ready(index); }));
  }
  resume_timer_ = &base_.timer([this] { resume(); });
  refusal_timer_ = &base_.timer([this] { post_late_refusals(); });
  base_.watch_readable(mailbox_.wake_fd(), [this] { read_mailbox(); }).enable();
}

Acceptor::~Acceptor() { HF_CHECK(!thread_.joinable()); }

void Acceptor::start() {
  thread_ = std::thread([this] { run(); });
}

void Acceptor::stop() {
  if (thread_.joinable()) thread_.join();
}

void Acceptor::run() {
  pthread_setname_np(pthread_self(), "hf-accept");
  interrupt_nobody();  // newcomers wait for the living
  read_mailbox();      // the limits come first
  resume();
  base_.run();
}

uint64_t Acceptor::open_connections() const {
  uint64_t open = 0;
  for (LoopIndex loop = 0; loop < loops_; ++loop) {
    // Closed first: a connection that comes and goes in between must not make the sum negative.
    const uint64_t closed = sink_.load(loop).closed.value();
    open += handed_[loop].value() - closed;
  }
  return open;
}

void Acceptor::on_listener_ready(ListenerIndex listener) {
  for (int i = 0; i < kAcceptsPerRound; ++i) {
    if (sink_.adopt_capacity(least_loaded()) == 0) {
      // The loop is behind: leave newcomers in the kernel's queue rather than turn them away.
      pause(kBusyPause);
      return;
    }
    sockaddr_storage native{};
    socklen_t length = sizeof native;
    auto* const generic = reinterpret_cast<sockaddr*>(&native);
    UniqueFd socket(
        accept4(listeners_[listener].socket.get(), generic, &length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) {
      if (errno != EAGAIN && errno != EWOULDBLOCK) on_accept_error(listener, errno);
      return;
    }
    error_backoff_ = Milliseconds{0};
    counters_.accepted.add();
    on_accepted(std::move(socket), Address::from_sockaddr(*generic), listener);
  }
}

void Acceptor::on_accepted(UniqueFd socket, const Address& peer, ListenerIndex listener) {
  const uint64_t now_us = monotonic_us();
  const bool has_proxy_header = listeners_[listener].has_proxy_header;
  const Admission::Load load{open_connections(), sink_.is_memory_full(), is_draining_};
  const Admission::Verdict verdict = admission_.admit(load, now_us);
  if (verdict.refused) return refuse(std::move(socket), listener, *verdict.refused);
  if (!has_proxy_header) {
    const auto refused = admission_.admit_address(peer, now_us);
    if (refused) return refuse(std::move(socket), listener, *refused);
    counters_.addresses.set(admission_.addresses());
  }
  LoopIndex loop = verdict.needs_room ? idlest_loop() : least_loaded();
  if (sink_.adopt_capacity(loop) == 0) loop = least_loaded();
  handed_[loop].add();
  sink_.post_adopt(loop, {std::move(socket), peer, listener, has_proxy_header, verdict.needs_room,
                          admission_.address_epoch()});
}

void Acceptor::on_accept_error(ListenerIndex listener, int error) {
  counters_.accept_errors.add();
  if (error_backoff_ == Milliseconds{0}) {
    log::warn("accept failed: waiting before the next try",
              {{"error", std::strerror(error)}, {"connections", open_connections()}});
  }
  if (error == EMFILE || error == ENFILE) refuse_with_spare(listener);
  // A passing error could come with every call (a seccomp rule, an attack): it waits too, but not
  // long.
  const Milliseconds longest = is_passing_error(error) ? kErrorBackoffFirst : kErrorBackoffMax;
  error_backoff_ = std::clamp(error_backoff_ * 2, kErrorBackoffFirst, longest);
  pause(error_backoff_);
}

// Out of descriptors: the spare one lets the waiting be told, instead of leaving them to wait for
// an answer that cannot come.
void Acceptor::refuse_with_spare(ListenerIndex listener) {
  if (!spare_.is_open()) return open_spare();
  spare_.reset();
  for (int i = 0; i < kRefusalsOnSpareMax; ++i) {
    UniqueFd socket(
        accept4(listeners_[listener].socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket.is_open()) break;
    counters_.accepted.add();
    refuse(std::move(socket), listener, RefuseReason::kDescriptors);
  }
  open_spare();
}

void Acceptor::open_spare() { spare_.reset(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

void Acceptor::refuse(UniqueFd socket, ListenerIndex listener, RefuseReason reason) {
  counters_.refused[static_cast<size_t>(reason)].add();
  if (listeners_[listener].is_tls_only) return;
  const Goaway goaway{.code = goaway_code(reason),
                      .retry_after_ms = random_retry_ms(reconnect_window_ms_),
                      .reason = to_text(reason),
                      .other_address = {}};
  std::array<std::byte, native::kControlFrameBytesMax> frame{};
  const size_t length = native::encode(goaway, frame);
  // Best effort: a fresh socket's buffer is empty, so this is refused only when the peer has gone.
  [[maybe_unused]] const ssize_t sent =
      ::send(socket.get(), frame.data(), length, MSG_DONTWAIT | MSG_NOSIGNAL);
  ::shutdown(socket.get(), SHUT_WR);
}

void Acceptor::pause(Milliseconds duration) {
  counters_.pauses.add();
  for (EventBase::Watch* watch : listener_watches_) watch->disable();
  resume_timer_->enable_after(duration);
}

void Acceptor::resume() {
  if (!spare_.is_open()) open_spare();
  for (EventBase::Watch* watch : listener_watches_) watch->enable();
}

void Acceptor::read_mailbox() {
  mailbox_.drain(kMessagesPerRound,
                 [this](AcceptorMessage&& message) { handle(std::move(message)); });
}

void Acceptor::handle(AcceptorMessage&& message) {
  if (const auto* set = std::get_if<SetAdmission>(&message)) {
    admission_.set_limits(set->limits, monotonic_us());
  } else if (const auto* drain = std::get_if<SetDraining>(&message)) {
    is_draining_ = drain->is_draining;
    reconnect_window_ms_ =
        drain->is_draining ? drain->reconnect_window_ms : uint32_t{kReconnectWindowMs};
  } else if (const auto* released = std::get_if<AddressReleased>(&message)) {
    admission_.release(released->peer, released->epoch);
    counters_.addresses.set(admission_.addresses());
  } else if (const auto* seen = std::get_if<AddressSeen>(&message)) {
    check_address(*seen);
  } else if (std::holds_alternative<StopAccepting>(message)) {
    listener_watches_.clear();
    base_.stop();
  }
}

void Acceptor::check_address(const AddressSeen& seen) {
  const auto refused = admission_.admit_late(seen.peer, seen.epoch, monotonic_us());
  counters_.addresses.set(admission_.addresses());
  if (!refused) return;
  counters_.refused[static_cast<size_t>(*refused)].add();
  late_refusals_.push_back(seen);
  post_late_refusals();
}

void Acceptor::post_late_refusals() {
  std::erase_if(late_refusals_, [this](const AddressSeen& seen) {
    return sink_.post_address_refused(seen.loop, seen.slot, seen.generation);
  });
  if (!late_refusals_.empty()) refusal_timer_->enable_after(kBusyPause);
}

LoopIndex Acceptor::least_loaded() const {
  LoopIndex best = 0;
  uint64_t fewest = UINT64_MAX;
  for (LoopIndex loop = 0; loop < loops_; ++loop) {
    const uint64_t open = handed_[loop].value() - sink_.load(loop).closed.value();
    if (open < fewest) {
      fewest = open;
      best = loop;
    }
  }
  return best;
}

LoopIndex Acceptor::idlest_loop() const {
  LoopIndex best = 0;
  uint64_t longest_ms = 0;
  for (LoopIndex loop = 0; loop < loops_; ++loop) {
    const uint64_t idle_ms = sink_.load(loop).idlest_ms.value();
    if (idle_ms > longest_ms) {
      longest_ms = idle_ms;
      best = loop;
    }
  }
  return longest_ms == 0 ? least_loaded() : best;
}

}  // namespace holdfast
