#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gateway/loaded_tls.h"
#include "gateway/options.h"

namespace holdfast {

// Runs the gateway until a signal ends it, and returns the process's exit code: 0 after a clean
// end, 1 when it could not start. `config_file` and `overrides` are read again on SIGHUP, and the
// files that they name. Thread: the main thread, which becomes the control thread.
int run_server(const Options& options, LoadedTls tls, const std::filesystem::path& config_file,
               const std::vector<std::string>& overrides);

}  // namespace holdfast
