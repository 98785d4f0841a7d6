#include <sys/stat.h>

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "common/log.h"
#include "gateway/doctor.h"
#include "gateway/loaded_tls.h"
#include "gateway/options.h"
#include "gateway/server.h"

// What jemalloc reads at start. A loop allocates rarely and in small pieces, so a thread's cache of
// large ones would only hold on to what a table has outgrown (tests/bench/run memory), and it is
// emptied in bulk, which the living would wait for (tests/bench/run storm). Freed pages go back to
// the system after a second, not ten: after a storm the memory is wanted elsewhere. A thread of
// jemalloc's sees to that, since loops that are idle again allocate nothing and would never come to
// it. MALLOC_CONF in the environment wins.
extern "C" {
extern const char* const malloc_conf;
const char* const malloc_conf =
    "tcache_max:512,dirty_decay_ms:1000,background_thread:true,max_background_threads:1";
}

// The commands of `holdfast`. Exit codes: 0 done, 1 it could not be done or the machine will not
// do, 2 wrong usage or settings.
namespace holdfast {
namespace {

constexpr int kExitOk = 0;
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

#if defined(__clang__)
constexpr const char* kCompiler = __VERSION__;
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

struct Arguments {
  std::string config_file;
  std::vector<std::string> overrides;
  uint32_t doctor_connections = 0;
  bool doctor_json = false;
};

void print_error(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

// The settings and what is in the files that they name. Logs by those settings what it warns of.
struct Loaded {
  Options options;
  LoadedTls tls;
};

Result<Loaded> load(const Arguments& arguments) {
  Result<Options> options = load_options(arguments.config_file, arguments.overrides);
  if (!options.is_ok()) return options.status();
  log::set_format(options.value().log_format);
  log::set_level(options.value().log_level);
  Result<LoadedTls> tls = load_tls(options.value(), nullptr);
  if (!tls.is_ok()) return tls.status();
  return Loaded{std::move(options.value()), std::move(tls.value())};
}

int serve(const Arguments& arguments) {
  Result<Loaded> loaded = load(arguments);
  if (!loaded.is_ok()) {
    print_error(loaded.status().message());
    return kExitUsage;
  }
  return run_server(loaded.value().options, std::move(loaded.value().tls), arguments.config_file,
                    arguments.overrides);
}

int check_config(const Arguments& arguments) {
  const Result<Loaded> loaded = load(arguments);
  if (!loaded.is_ok()) {
    print_error(loaded.status().message());
    return kExitUsage;
  }
  const Options& options = loaded.value().options;
  std::printf("%s: ok\n\n%s", arguments.config_file.c_str(), options_text(options).c_str());
  return kExitOk;
}

int print_version() {
  std::printf("holdfast %s (%s, %s)\n", HOLDFAST_VERSION, HOLDFAST_BUILD_TYPE, kCompiler);
  return kExitOk;
}

// A listener of each port is meant to be up: the machine must leave them alone. Port 0 is any.
std::vector<uint16_t> ports_of(const Options& options) {
  std::vector<uint16_t> ports = {options.admin_bind.port()};
  for (const ListenerOptions& listener : options.listeners) ports.push_back(listener.bind.port());
  std::erase(ports, uint16_t{0});
  return ports;
}

int doctor(const Arguments& arguments) {
  const Result<Options> options = load_options(arguments.config_file, {});
  if (!options.is_ok()) {
    print_error(options.status().message());
    return kExitUsage;
  }
  DoctorPlan plan;
  plan.connections = arguments.doctor_connections != 0 ? arguments.doctor_connections
                                                       : options.value().limits.connections_max;
  plan.ports = ports_of(options.value());
  return run_doctor(plan, arguments.doctor_json);
}

// An empty name comes from a variable that was not set; taken as "no file" it would start a gateway
// with settings that nobody chose.
std::string refuse_empty(const std::string& text) {
  return text.empty() ? "the name of the file is empty" : "";
}

void add_config_option(CLI::App& command, Arguments& arguments) {
  command.add_option("--config", arguments.config_file, "The settings (TOML); defaults without it")
      ->option_text("FILE")
      ->check(refuse_empty);
}

// One value a flag: CLI11 would otherwise take every word that follows for a further one.
void add_set_option(CLI::App& command, Arguments& arguments) {
  command
      .add_option("--set", arguments.overrides,
                  "A setting that wins over the file's; may be given again")
      ->option_text("KEY=VALUE")
      ->allow_extra_args(false);
}

struct Commands {
  CLI::App* serve;
  CLI::App* check_config;
  CLI::App* doctor;
  CLI::App* version;
};

Commands add_commands(CLI::App& app, Arguments& arguments) {
  Commands commands{};
  commands.serve = app.add_subcommand("serve", "Run the gateway until SIGTERM or SIGINT");
  add_config_option(*commands.serve, arguments);
  add_set_option(*commands.serve, arguments);

  commands.check_config =
      app.add_subcommand("check-config", "Check a settings file and print what is in force");
  commands.check_config->add_option("FILE", arguments.config_file, "The settings (TOML)")
      ->required()
      ->check(refuse_empty);
  add_set_option(*commands.check_config, arguments);

  commands.doctor =
      app.add_subcommand("doctor", "Say whether this machine holds the connections wanted");
  commands.doctor
      ->add_option("--connections", arguments.doctor_connections,
                   "How many; limits.connections_max without it")
      ->option_text("N")
      ->check(CLI::Range(1U, 16'777'216U));
  commands.doctor->add_flag("--json", arguments.doctor_json, "Print JSON instead of a table");
  add_config_option(*commands.doctor, arguments);

  commands.version = app.add_subcommand("version", "Print the version");
  app.require_subcommand(1);
  return commands;
}

int run(int argc, char** argv) {
  CLI::App app("Holdfast: a gateway for long-lived device connections.", "holdfast");
  Arguments arguments;
  const Commands commands = add_commands(app, arguments);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help is an "error" of code 0.
    return app.exit(error) == 0 ? kExitOk : kExitUsage;
  }
  if (commands.serve->parsed()) return serve(arguments);
  if (commands.check_config->parsed()) return check_config(arguments);
  if (commands.doctor->parsed()) return doctor(arguments);
  return print_version();
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
  // Before the first file is made, so that none is readable by others even for a moment.
  ::umask(0077);
  try {
    return holdfast::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "holdfast: %s\n", error.what());
    return holdfast::kExitFailed;
  }
}
