#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "tools/conn_flood/options.h"
#include "tools/conn_flood/summary.h"

// The part of a run's summary that tells of TLS.
namespace holdfast::flood {

// Lines for a person: the handshakes, and of those that failed how many and why.
[[nodiscard]] std::string tls_summary_text(const RunResult& result);

// For a program: counts by TLS version, full, resumed and failed, alerts by number and name.
[[nodiscard]] nlohmann::ordered_json tls_summary_json(const RunResult& result);

[[nodiscard]] nlohmann::ordered_json tls_options_json(const TlsOptions& options);

}  // namespace holdfast::flood
