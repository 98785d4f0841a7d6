#include "gateway/net/event_base.h"

#include <utility>

#include "common/check.h"

namespace holdfast {
namespace {

timeval to_timeval(Milliseconds duration) {
  return {.tv_sec = static_cast<time_t>(duration.count() / 1000),
          .tv_usec = static_cast<suseconds_t>(duration.count() % 1000 * 1000)};
}

void run_callback(evutil_socket_t, short, void* callback) {
  (*static_cast<EventBase::Callback*>(callback))();
}

}  // namespace

void EventBase::Watch::enable() { HF_CHECK(event_add(event_.get(), nullptr) == 0); }

void EventBase::Watch::enable_after(Milliseconds delay) {
  const timeval after = to_timeval(delay);
  event_del(event_.get());
  HF_CHECK(event_assign(event_.get(), event_get_base(event_.get()), -1, 0, run_callback,
                        &callback_) == 0);
  HF_CHECK(event_add(event_.get(), &after) == 0);
}

void EventBase::Watch::enable_every(Milliseconds period) {
  const timeval every = to_timeval(period);
  event_del(event_.get());
  HF_CHECK(event_assign(event_.get(), event_get_base(event_.get()), -1, EV_PERSIST, run_callback,
                        &callback_) == 0);
  HF_CHECK(event_add(event_.get(), &every) == 0);
}

void EventBase::Watch::disable() { event_del(event_.get()); }

EventBase::EventBase() {
  event_config* config = event_config_new();
  HF_CHECK(config != nullptr);
  // Each base belongs to one thread; locks would guard nothing.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  base_ = event_base_new_with_config(config);
  event_config_free(config);
  HF_CHECK(base_ != nullptr);
}

EventBase::~EventBase() {
  watches_.clear();
  event_base_free(base_);
}

EventBase::Watch& EventBase::make_watch(int fd, short what, Callback callback) {
  watches_.push_back(std::make_unique<Watch>());
  Watch& watch = *watches_.back();
  watch.callback_ = std::move(callback);
  watch.event_.reset(event_new(base_, fd, what, run_callback, &watch.callback_));
  HF_CHECK(watch.event_ != nullptr);
  return watch;
}

EventBase::Watch& EventBase::watch_readable(int fd, Callback callback) {
  return make_watch(fd, EV_READ | EV_PERSIST, std::move(callback));
}

EventBase::Watch& EventBase::watch_signal(int signal, Callback callback) {
  return make_watch(signal, EV_SIGNAL | EV_PERSIST, std::move(callback));
}

EventBase::Watch& EventBase::timer(Callback callback) {
  return make_watch(-1, 0, std::move(callback));
}

void EventBase::run() {
  if (!is_stopped_) event_base_loop(base_, EVLOOP_NO_EXIT_ON_EMPTY);
}

void EventBase::stop() {
  is_stopped_ = true;
  event_base_loopbreak(base_);
}

}  // namespace holdfast
