#include "gateway/net/loop.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "common/check.h"
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

void Loop::start(int cpu) {
  poller_watch_ = &base_.watch_readable(poller_.fd(), [this] { on_poller_ready(); });
  wake_watch_ = &base_.watch_readable(wake_fd_, [this] { handler_.on_wake(); });
  tick_watch_ = &base_.timer([this] { tick_watch_->enable_after(handler_.on_tick()); });
  rest_watch_ = &base_.timer([this] { handler_.on_rest(); });
  poller_watch_->enable();
  wake_watch_->enable();
  tick_watch_->enable_after(Milliseconds{0});
  thread_ = std::thread([this, cpu] { run(cpu); });
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

void Loop::on_poller_ready() {
  for (int batch = 0; batch < kBatchesPerRound; ++batch) {
    const auto ready = poller_.poll();
    if (ready.empty()) return;
    handler_.on_ready(ready);
    if (ready.size() < ConnectionPoller::kBatchMax) return;
  }
}

}  // namespace holdfast
