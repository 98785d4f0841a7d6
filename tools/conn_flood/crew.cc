#include "tools/conn_flood/crew.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "tools/conn_flood/errno_text.h"
#include "tools/conn_flood/worker.h"

namespace holdfast::flood {
namespace {

void work(const Options& options, const Plan& plan, SharedRun& run, const TlsClientContext* tls,
          uint32_t number) {
  Worker(options, plan, run, tls, number).run();
}

Status describe_end(pid_t child, int wait_status) {
  if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == 0) return Status::ok();
  std::string how = WIFSIGNALED(wait_status)
                        ? "was killed by signal " + std::to_string(WTERMSIG(wait_status))
                        : "exited with " + std::to_string(WEXITSTATUS(wait_status));
  return Status::error("process " + std::to_string(child) + " of the flood " + how +
                       "; its clients are lost and its latencies are not counted");
}

}  // namespace

Crew::Crew(const Options& options, const Plan& plan, SharedRun& run,
           std::span<const std::unique_ptr<TlsClientContext>> tls)
    : options_(options), plan_(plan), run_(run), tls_(tls) {}

Crew::~Crew() {
  join_threads();
  for (const pid_t child : children_) ::kill(child, SIGKILL);
  for (const pid_t child : children_) ::waitpid(child, nullptr, 0);
}

Status Crew::start(uint32_t processes) {
  if (processes == 1) {
    start_threads(0);
    return Status::ok();
  }
  const pid_t parent = ::getpid();
  for (uint32_t process = 0; process < processes; ++process) {
    const pid_t child = ::fork();
    if (child < 0) {
      return Status::error("cannot start process " + std::to_string(process + 1) + " of " +
                           std::to_string(processes) + ": " + errno_text(errno));
    }
    if (child == 0) be_child(process * options_.threads, parent);
    children_.push_back(child);
  }
  return Status::ok();
}

void Crew::start_threads(uint32_t first_worker) {
  for (uint32_t i = 0; i < options_.threads; ++i) {
    const TlsClientContext* tls = tls_.empty() ? nullptr : tls_[i].get();
    threads_.emplace_back(work, std::cref(options_), std::cref(plan_), std::ref(run_), tls,
                          first_worker + i);
  }
}

void Crew::join_threads() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Crew::be_child(uint32_t first_worker, pid_t parent) {
  children_.clear();  // its brothers are the parent's to wait for
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);  // it died before the line above
  start_threads(first_worker);
  join_threads();
  ::_exit(0);  // not exit(): what the parent had buffered is the parent's to write
}

void Crew::reap_children() {
  const auto is_gone = [this](pid_t child) {
    int wait_status = 0;
    if (::waitpid(child, &wait_status, WNOHANG) != child) return false;
    const Status status = describe_end(child, wait_status);
    if (!status.is_ok()) health_ = status;
    return true;
  };
  children_.erase(std::remove_if(children_.begin(), children_.end(), is_gone), children_.end());
}

bool Crew::has_ended() {
  if (threads_.empty()) {
    reap_children();
    return children_.empty();
  }
  const auto tallies = run_.tallies();
  return std::all_of(tallies.begin(), tallies.end(), [](const Tally& tally) {
    return tally.is_finished.load(std::memory_order_acquire);
  });
}

}  // namespace holdfast::flood
