#include "gateway/server.h"

#include <sched.h>
#include <signal.h>
#include <sodium.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "common/check.h"
#include "common/clock.h"
#include "common/log.h"
#include "gateway/api/admin_server.h"
#include "gateway/descriptor_limit.h"
#include "gateway/doctor.h"
#include "gateway/layer_settings.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/certificate_dates.h"
#include "gateway/net/event_base.h"
#include "gateway/net/listener.h"
#include "gateway/net/retry_delay.h"
#include "gateway/option_rules.h"
#include "gateway/route/router.h"
#include "gateway/route/session_loop.h"

namespace holdfast {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;

// Descriptors beside those of connections: admin clients, the spare, sockets accepted while others
// of the same round are still being closed.
constexpr uint32_t kDescriptorReserve = AdminServer::kConnectionsMax + 32;
constexpr size_t kRepliesPerRound = 256;
constexpr Milliseconds kShutdownCheckPeriod{20};
constexpr Milliseconds kTicketKeyPeriod = std::chrono::hours(1);

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<size_t>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

LoopIndex loops_for(const Options& options, size_t cpus) {
  const size_t wanted = options.loops_count > 0 ? options.loops_count : cpus;
  return static_cast<LoopIndex>(std::clamp<size_t>(wanted, 1, kLoopsMax));
}

// The composition root: makes the threads and what they share, and is the control thread.
class Server final : public NodeControl {
 public:
  Server(const Options& options, LoadedTls tls, std::filesystem::path config_file,
         std::vector<std::string> overrides)
      : options_(options),
        tls_(std::move(tls)),
        config_file_(std::move(config_file)),
        overrides_(std::move(overrides)),
        cpus_(allowed_cpus()),
        router_(loops_for(options, cpus_.size()), handshake_threads(options, cpus_.size())),
        handshake_threads_(router_.handshake_threads(), router_.loops(), router_) {}

  Status start();
  int run();

 private:
  // NodeControl
  void start_drain(double rate_per_s, uint32_t reconnect_window_ms) override;
  void stop_drain() override;
  bool is_draining() const override { return is_draining_; }

  Result<std::vector<ListenerSocket>> open_listeners();
  Status make_loops();
  Status open_admin();
  void start_threads();
  void begin_drain(double rate_per_s, uint32_t reconnect_window_ms);
  void watch_signals();
  void log_machine() const;
  void on_stop_signal(const char* name);
  void on_reload_signal();
  void apply(const Options& wanted, LoadedTls tls);
  void rotate_ticket_keys();
  void check_shutdown();
  void stop_threads();
  template <class Command>
  void post_to_all(const Command& command);
  void post_to_acceptor(AcceptorMessage&& message);

  Options options_;
  LoadedTls tls_;
  const std::filesystem::path config_file_;
  const std::vector<std::string> overrides_;
  const std::vector<int> cpus_;
  uint32_t descriptor_limit_ = 0;
  uint32_t capacity_ = 0;  // connections that the descriptor limit holds
  EventBase base_;
  Router router_;
  TlsHandshakeThreads handshake_threads_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::unique_ptr<SessionLoop>> loops_;
  std::unique_ptr<AdminServer> admin_;
  EventBase::Watch* shutdown_timer_ = nullptr;
  bool is_running_ = false;
  bool is_draining_ = false;
  bool is_stopping_ = false;
  uint64_t stop_by_ms_ = 0;
};

Status Server::start() {
  Result<uint32_t> limit = raise_descriptor_limit();
  if (!limit.is_ok()) return limit.status();
  descriptor_limit_ = limit.value();
  grow_descriptor_table(descriptor_limit_);
  Result<std::vector<ListenerSocket>> listeners = open_listeners();
  if (!listeners.is_ok()) return listeners.status();
  const std::vector<ListenerSocket>& opened = listeners.value();
  std::vector<Address> addresses;
  for (const ListenerSocket& listener : opened) addresses.push_back(listener.address);

  acceptor_ = std::make_unique<Acceptor>(std::move(listeners.value()), router_.loops(), router_,
                                         router_.acceptor_lanes());
  Status status = make_loops();
  if (status.is_ok()) status = open_admin();
  if (!status.is_ok()) return status;

  const uint32_t used = count_open_descriptors() + kDescriptorReserve;
  if (descriptor_limit_ <= used) {
    return Status::error("the descriptor limit of " + std::to_string(descriptor_limit_) +
                         " leaves none for connections: raise it with `ulimit -n` or LimitNOFILE");
  }
  capacity_ = descriptor_limit_ - used;
  log_machine();
  apply(options_, std::move(tls_));
  watch_signals();
  start_threads();
  for (size_t i = 0; i < addresses.size(); ++i) {
    log::info("listening", {{"listener", i}, {"address", addresses[i].text()}});
  }
  is_running_ = true;
  return Status::ok();
}

Result<std::vector<ListenerSocket>> Server::open_listeners() {
  std::vector<ListenerSocket> opened;
  for (const ListenerOptions& wanted : options_.listeners) {
    Address address = wanted.bind;
    Result<UniqueFd> socket = open_listener(address, wanted.backlog);
    if (!socket.is_ok()) return socket.status();
    opened.push_back(
        {std::move(socket.value()), address, wanted.proxy_protocol, wanted.tls.is_required});
  }
  return opened;
}

Status Server::make_loops() {
  uint64_t session_id_key = 0;
  randombytes_buf(&session_id_key, sizeof session_id_key);
  const auto settings = loop_settings(options_, tls_.listeners, router_.loops());
  for (LoopIndex index = 0; index < router_.loops(); ++index) {
    loops_.push_back(std::make_unique<SessionLoop>(index, router_, acceptor_->mailbox(),
                                                   handshake_threads_, settings, descriptor_limit_,
                                                   session_id_key));
    Status status = loops_.back()->open();
    if (!status.is_ok()) return status;
  }
  return Status::ok();
}

Status Server::open_admin() {
  std::vector<const LoopCounters*> counters;
  for (const auto& loop : loops_) counters.push_back(&loop->counters());
  admin_ = std::make_unique<AdminServer>(base_,
                                         NodeView{.node_id = options_.node_id,
                                                  .started_ms = monotonic_ms(),
                                                  .router = router_,
                                                  .acceptor = *acceptor_,
                                                  .handshake_threads = handshake_threads_,
                                                  .loops = std::move(counters),
                                                  .is_ready = [this] { return is_running_; },
                                                  .version = HOLDFAST_VERSION,
                                                  .certificates = &tls_.certificates},
                                         *this);
  admin_->set_token(options_.admin_token);
  Address bound = options_.admin_bind;
  Status status = admin_->open(bound);
  if (!status.is_ok()) return status;
  log::info("admin listening", {{"address", bound.text()}});
  base_
      .watch_readable(router_.control_mailbox().wake_fd(),
                      [this] {
                        router_.control_mailbox().drain(
                            kRepliesPerRound,
                            [this](LoopReply&& reply) { admin_->on_reply(std::move(reply)); });
                      })
      .enable();
  return Status::ok();
}

void Server::start_threads() {
  // Signals belong to this thread: another that took one would only pass it on.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (size_t i = 0; i < loops_.size(); ++i) {
    loops_[i]->start(options_.loops_pin ? cpus_[i % cpus_.size()] : -1);
  }
  handshake_threads_.start();
  acceptor_->start();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Server::watch_signals() {
  signal(SIGPIPE, SIG_IGN);
  base_.watch_signal(SIGTERM, [this] { on_stop_signal("SIGTERM"); }).enable();
  base_.watch_signal(SIGINT, [this] { on_stop_signal("SIGINT"); }).enable();
  base_.watch_signal(SIGHUP, [this] { on_reload_signal(); }).enable();
  shutdown_timer_ = &base_.timer([this] { check_shutdown(); });
  base_.timer([this] { rotate_ticket_keys(); }).enable_every(kTicketKeyPeriod);
}

// The same look at the machine as `holdfast doctor`: what will not hold is better read now than
// found at the peak.
void Server::log_machine() const {
  DoctorPlan plan;
  plan.connections = options_.limits.connections_max;
  for (const ListenerOptions& listener : options_.listeners) {
    if (listener.bind.port() != 0) plan.ports.push_back(listener.bind.port());
  }
  log_findings(examine(read_machine_facts(), plan));
  if (options_.limits.connections_max > capacity_) {
    log::warn(
        "limits.connections_max is above what the descriptor limit holds: newcomers beyond "
        "that are refused",
        {{"connections_max", options_.limits.connections_max},
         {"capacity", capacity_},
         {"descriptor_limit", descriptor_limit_}});
  }
}

void Server::start_drain(double rate_per_s, uint32_t reconnect_window_ms) {
  // The end of the process has a drain of its own, at the pace that its grace asks for.
  if (!is_stopping_) begin_drain(rate_per_s, reconnect_window_ms);
}

void Server::begin_drain(double rate_per_s, uint32_t reconnect_window_ms) {
  log::info("draining", {{"rate_per_s", rate_per_s},
                         {"reconnect_window_ms", reconnect_window_ms},
                         {"sessions", router_.directory().size()}});
  is_draining_ = true;
  post_to_acceptor(SetDraining{true, reconnect_window_ms});
  post_to_all(StartDrain{rate_per_s / router_.loops(), reconnect_window_ms});
}

void Server::stop_drain() {
  if (!is_draining_ || is_stopping_) return;
  log::info("drain cancelled", {{"sessions", router_.directory().size()}});
  is_draining_ = false;
  post_to_acceptor(SetDraining{});
  post_to_all(StopDrain{});
}

void Server::on_stop_signal(const char* name) {
  if (is_stopping_) {
    log::warn("second signal: exit at once", {{"signal", name}});
    std::_Exit(kExitFailed);
  }
  is_stopping_ = true;
  log::info("stopping", {{"signal", name}, {"grace_s", options_.shutdown_grace_s}});
  stop_by_ms_ = monotonic_ms() + uint64_t{options_.shutdown_grace_s} * 1000;
  // Everybody is told in the first two thirds of the grace; the rest is for their goodbyes.
  const double spread_s = std::max(0.1, options_.shutdown_grace_s * 2.0 / 3.0);
  const double sessions = static_cast<double>(router_.directory().size());
  begin_drain(std::max(sessions / spread_s, 500.0), kReconnectWindowMs);
  shutdown_timer_->enable_every(kShutdownCheckPeriod);
}

void Server::check_shutdown() {
  // What stopping itself takes: a farewell to those still there, and the threads' last round.
  constexpr uint64_t kStopMs = 800;
  const uint64_t left = acceptor_->open_connections();
  if (left > 0 && monotonic_ms() + kStopMs < stop_by_ms_) return;
  log::info("stopped", {{"connections_left", left}});
  base_.stop();
}

// Without a settings file too: what its flags name, certificates and a token, may have changed.
void Server::on_reload_signal() {
  const Result<Options> wanted = load_options(config_file_, overrides_);
  if (!wanted.is_ok()) {
    log::error("reload failed: the old settings stay", {{"error", wanted.status().message()}});
    return;
  }
  for (const std::string& key : settings_that_need_restart(options_, wanted.value())) {
    log::warn("setting changed in the file, but only a restart takes it on", {{"key", key}});
  }
  // What was checked is the file as a whole; part of it waits for a restart, and the rest must
  // still agree with what runs: a token must not go while the address it guards stays.
  const Options merged = with_reloadable(options_, wanted.value());
  for (const RuleBreach& breach : find_breaches(merged)) {
    log::error("reload failed: the old settings stay",
               {{"key", breach.keys.front()}, {"error", breach.text}});
    return;
  }
  Result<LoadedTls> tls = load_tls(merged, tls_.own_ticket_keys);
  if (!tls.is_ok()) {
    log::error("reload failed: the old settings stay", {{"error", tls.status().message()}});
    return;
  }
  apply(merged, std::move(tls.value()));
  log::info("settings reloaded", {{"file", config_file_.string()}});
}

void Server::apply(const Options& wanted, LoadedTls tls) {
  options_ = wanted;
  tls_ = std::move(tls);
  warn_of_expiry(tls_.certificates, wall_clock_s());
  log::set_level(options_.log_level);
  admin_->set_token(options_.admin_token);
  admin_->set_heartbeat_bounds(options_.heartbeat.min_s, options_.heartbeat.max_s);
  router_.set_memory_bytes_max(memory_bytes_max(options_));
  post_to_acceptor(SetAdmission{admission_limits(options_, capacity_)});
  post_to_all(ApplySettings{loop_settings(options_, tls_.listeners, router_.loops())});
}

// Those of a file are the operator's to change.
void Server::rotate_ticket_keys() {
  const Status rotated = tls_.own_ticket_keys->rotate();
  if (!rotated.is_ok())
    log::error("session tickets keep their key", {{"error", rotated.message()}});
}

int Server::run() {
  base_.run();
  is_running_ = false;
  stop_threads();
  return kExitOk;
}

void Server::stop_threads() {
  post_to_acceptor(StopAccepting{});
  acceptor_->stop();
  post_to_all(StopLoop{});
  for (const auto& loop : loops_) loop->join();
  handshake_threads_.stop();
}

// A full lane means that its thread is behind by a thousand messages; it drains them in
// milliseconds.
template <class Command>
void Server::post_to_all(const Command& command) {
  for (LoopIndex loop = 0; loop < router_.loops(); ++loop) {
    LoopCommand copy{command};
    while (!router_.post_command(router_.control_lane(), loop, std::move(copy))) sched_yield();
  }
}

void Server::post_to_acceptor(AcceptorMessage&& message) {
  while (!acceptor_->mailbox().post(router_.control_lane(), std::move(message))) sched_yield();
}

}  // namespace

int run_server(const Options& options, LoadedTls tls, const std::filesystem::path& config_file,
               const std::vector<std::string>& overrides) {
  log::info("holdfast starts", {{"version", HOLDFAST_VERSION}, {"node", options.node_id}});
  Server server(options, std::move(tls), config_file, overrides);
  const Status status = server.start();
  if (!status.is_ok()) {
    log::error("cannot start", {{"error", status.message()}});
    return kExitFailed;
  }
  return server.run();
}

}  // namespace holdfast
