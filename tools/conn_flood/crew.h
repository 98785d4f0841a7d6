#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "common/status.h"
#include "tools/conn_flood/options.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/run.h"
#include "tools/conn_flood/tls_client.h"

namespace holdfast::flood {

// The run's workers: threads of this process, or of child processes when there is more than one.
// Thread: the one that started it, which must have blocked the signals it waits for and, with more
// than one process, have no other thread yet.
// Owns: the threads or child processes. Children die with their parent.
class Crew final {
 public:
  // `options`, `plan`, `run` and `tls` outlive it. run.worker_count() is processes x
  // options.threads. `tls`: one for each thread of a process, or none at all.
  Crew(const Options& options, const Plan& plan, SharedRun& run,
       std::span<const std::unique_ptr<TlsClientContext>> tls);
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;
  // Waits for threads; kills children that are still there.
  ~Crew();

  Status start(uint32_t processes);
  // Every worker is done, or its process is gone.
  bool has_ended();
  // Whether a child process died before its workers were done.
  const Status& health() const { return health_; }

 private:
  void start_threads(uint32_t first_worker);
  void join_threads();
  [[noreturn]] void be_child(uint32_t first_worker, pid_t parent);
  void reap_children();

  const Options& options_;
  const Plan& plan_;
  SharedRun& run_;
  const std::span<const std::unique_ptr<TlsClientContext>> tls_;
  std::vector<std::thread> threads_;
  std::vector<pid_t> children_;
  Status health_ = Status::ok();
};

}  // namespace holdfast::flood
