#include "gateway/net/loop.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"

namespace holdfast {
namespace {

void pin_to(int cpu, LoopIndex loop) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(cpu), &set);
  const int error = pthread_setaffinity_np(pthread_self(), sizeof set, &set);
  if (error == 0) return;
  log::warn(
      "loop is not pinned: the system may move it between cores; set loops.pin = false to "
      "leave placement to it",
      {{"loop", loop}, {"cpu", cpu}, {"error", std::strerror(error)}});
}

}  // namespace

Loop::Loop(LoopIndex index, LoopHandler& handler, int wake_fd)
    : index_(index), handler_(handler), wake_fd_(wake_fd) {}

Loop::~Loop() { HF_CHECK(!thread_.joinable()); }

Status Loop::open() {
  Status status = poller_.open();
  if (status.is_ok()) status = poller_.add_wake(wake_fd_);
  return status;
}

void Loop::start(int cpu) {
  poller_watch_ = &base_.watch_readable(poller_.fd(), [this] { on_poller_ready(); });
  rest_watch_ = &base_.timer([this] { on_rest(); });
  poller_watch_->enable();
  poller_.set_tick(Milliseconds{0});
  thread_ = std::thread([this, cpu] { run(cpu); });
}

void Loop::stop() {
  is_stopping_ = true;
  base_.stop();
}

void Loop::run_rest_soon() {
  is_rest_due_ = true;
  rest_watch_->enable_after(Milliseconds{0});
}

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::run(int cpu) {
  const std::string name = "hf-loop-" + std::to_string(index_);
  pthread_setname_np(pthread_self(), name.c_str());
  if (cpu >= 0) pin_to(cpu, index_);
  handler_.on_started();
  base_.run();
}

// While nothing is left over the thread waits for everything here and not in libevent: there every
// wake would cost a wait on the outer set and a look into the inner one, a tenth of a lone ping's
// price.
void Loop::on_poller_ready() {
  do {
    const auto ready = poller_.poll(!is_rest_due_ && !is_idle_due_);
    // Events leave the set in the order in which they came: those of a crowd (a million hang up at
    // once) would keep the tick and other threads' messages waiting for seconds.
    const bool is_overdue = poller_.is_full() && monotonic_ms() >= next_tick_ms_;
    if (poller_.is_woken() || is_overdue) handler_.on_wake();
    if (!ready.empty()) handler_.on_ready(ready);
    if (poller_.is_ticked() || is_overdue) on_tick();
    const bool is_idle = ready.empty() && !poller_.is_woken() && !poller_.is_ticked();
    if (is_idle && is_idle_due_ && !is_rest_due_) is_idle_due_ = handler_.on_idle();
  } while (!is_stopping_ && !is_rest_due_);
}

void Loop::on_tick() {
  const Milliseconds wait = handler_.on_tick();
  next_tick_ms_ = monotonic_ms() + static_cast<uint64_t>(wait.count());
  poller_.set_tick(wait);
}

void Loop::on_rest() {
  is_rest_due_ = false;
  handler_.on_rest();
  // libevent waits for descriptors, not for idleness.
  if (is_idle_due_) on_poller_ready();
}

}  // namespace holdfast
