#include "gateway/net/tls_handshake_threads.h"

#include <poll.h>
#include <pthread.h>

#include <cerrno>
#include <string>
#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "gateway/net/thread_priority.h"

namespace holdfast {
namespace {

void wait_readable(int fd) {
  pollfd waited{.fd = fd, .events = POLLIN, .revents = 0};
  HF_CHECK(::poll(&waited, 1, -1) >= 0 || errno == EINTR);
}

}  // namespace

TlsHandshakeThreads::TlsHandshakeThreads(uint32_t threads, LoopIndex loops, HandshakeSink& sink)
    : loops_(loops), sink_(sink) {
  // A lane for each loop and one for the end.
  std::vector<size_t> lanes(loops, kJobsPerLoopMax);
  lanes.push_back(2);
  for (uint32_t i = 0; i < threads; ++i) threads_.push_back(std::make_unique<Worker>(lanes));
}

TlsHandshakeThreads::~TlsHandshakeThreads() { stop(); }

void TlsHandshakeThreads::start() {
  for (uint32_t i = 0; i < count(); ++i) {
    threads_[i]->thread = std::thread([this, i] { run(i); });
  }
}

void TlsHandshakeThreads::stop() {
  for (const auto& worker : threads_) {
    if (!worker->thread.joinable()) continue;
    HF_CHECK(worker->mailbox.post(loops_, Stop{}));
    worker->thread.join();
  }
}

bool TlsHandshakeThreads::post(uint32_t thread, HandshakeJob&& job) {
  const LoopIndex lane = job.loop;
  Message message(std::move(job));
  if (threads_[thread]->mailbox.post(lane, std::move(message))) return true;
  job = std::move(std::get<HandshakeJob>(message));
  return false;
}

void TlsHandshakeThreads::run(uint32_t number) {
  pthread_setname_np(pthread_self(), ("hf-tls-" + std::to_string(number)).c_str());
  give_way();
  Worker& worker = *threads_[number];
  std::vector<HandshakeJob> done;
  bool is_stopping = false;
  while (!is_stopping) {
    wait_readable(worker.mailbox.wake_fd());
    worker.mailbox.drain(kJobsPerLoopMax, [&](Message&& message) {
      if (std::holds_alternative<Stop>(message)) is_stopping = true;
      auto* const job = std::get_if<HandshakeJob>(&message);
      if (job == nullptr || is_stopping) return;
      job->handshake->step();
      done.push_back(std::move(*job));
      if (done.size() == kJobsPerReply) send_back(number, done);
    });
    send_back(number, done);
    worker.cpu_us.set(thread_cpu_us());
  }
}

void TlsHandshakeThreads::send_back(uint32_t number, std::vector<HandshakeJob>& done) {
  for (HandshakeJob& job : done) sink_.post_stepped(number, std::move(job));
  done.clear();
}

}  // namespace holdfast
