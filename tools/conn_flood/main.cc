#include <csignal>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "common/status.h"
#include "tools/conn_flood/coordinator.h"
#include "tools/conn_flood/crew.h"
#include "tools/conn_flood/limits.h"
#include "tools/conn_flood/options.h"
#include "tools/conn_flood/plan.h"
#include "tools/conn_flood/run.h"
#include "tools/conn_flood/socket.h"
#include "tools/conn_flood/sources.h"
#include "tools/conn_flood/summary.h"
#include "tools/conn_flood/tls_client.h"

namespace holdfast::flood {
namespace {

constexpr int kFaultExitCode = 1;
constexpr int kUsageExitCode = 2;

int refuse(const Status& status) {
  std::fprintf(stderr, "conn_flood: %s\n", status.message().c_str());
  return kUsageExitCode;
}

// Fills in what the user left to the machine and checks that the machine can hold it.
Status fit_to_machine(Options& options) {
  if (options.sources.empty()) {
    options.sources = default_sources(options.targets, options.connections);
  }
  for (const Address& source : options.sources) {
    Status usable = check_source(source);
    if (!usable.is_ok()) return usable;
  }
  Status ports = check_ports(options.connections, options.sources.size(), options.targets.size(),
                             local_port_range());
  if (!ports.is_ok()) return ports;
  const uint64_t wanted =
      options.connections + kDescriptorsReserved + 2 * uint64_t{options.threads};
  const Result<uint32_t> processes = choose_processes(
      options.connections, options.threads, options.processes, raise_descriptor_limit(wanted));
  if (!processes.is_ok()) return processes.status();
  options.processes = processes.value();
  return Status::ok();
}

Status write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path, std::ios::trunc);
  file << text;
  file.close();
  if (file.fail()) return Status::error("cannot write " + path.string());
  return Status::ok();
}

using TlsContexts = std::vector<std::unique_ptr<TlsClientContext>>;

// One for each thread of a process; none when connections are to be plain.
Result<TlsContexts> prepare_tls(const Options& options, const Plan& plan) {
  TlsContexts contexts;
  if (!options.tls.is_on) return contexts;
  // OpenSSL writes by write(2), which raises it where send(2) is told not to.
  std::signal(SIGPIPE, SIG_IGN);
  if (options.tls.ca_file.empty() && !options.quiet) {
    std::puts("the server's certificate is not verified: no --ca");
  }
  for (uint32_t thread = 0; thread < options.threads; ++thread) {
    auto context = TlsClientContext::create(options.tls, plan.device_id(0));
    if (!context.is_ok()) return context.status();
    contexts.push_back(std::move(context.value()));
  }
  return contexts;
}

int flood(Options options) {
  const Status fit = fit_to_machine(options);
  if (!fit.is_ok()) return refuse(fit);
  // Found out now rather than after an hour of flood.
  if (!options.json_file.empty()) {
    const Status writable = write_file(options.json_file, "");
    if (!writable.is_ok()) return refuse(writable);
  }
  const Plan plan(options);
  Result<SharedRun> run = SharedRun::create(options.processes * options.threads);
  if (!run.is_ok()) return refuse(run.status());

  const auto tls = prepare_tls(options, plan);
  if (!tls.is_ok()) return refuse(tls.status());

  Coordinator::block_signals();
  Crew crew(options, plan, run.value(), tls.value());
  run.value().start_clock();
  const Status started = crew.start(options.processes);
  if (!started.is_ok()) return refuse(started);
  const RunResult result = Coordinator(options, plan, run.value(), crew).lead();

  std::fputs(summary_text(options, plan, result).c_str(), stdout);
  std::fflush(stdout);
  if (!options.json_file.empty()) {
    const Status written = write_file(options.json_file, summary_json(options, plan, result));
    if (!written.is_ok()) return refuse(written);
  }
  return faults(result, plan).empty() ? 0 : kFaultExitCode;
}

}  // namespace
}  // namespace holdfast::flood

int main(int argc, char** argv) {
  using namespace holdfast::flood;
  try {
    auto parsed = parse_command_line(argc, argv);
    if (const auto* stop = std::get_if<ExitCode>(&parsed)) return stop->value;
    return flood(std::move(std::get<Options>(parsed)));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "conn_flood: %s\n", error.what());
    return kFaultExitCode;
  }
}
