#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "gateway/net/admission.h"
#include "gateway/options.h"
#include "gateway/route/command.h"

namespace holdfast {

// The options as the layers below want them. `capacity`: connections that the descriptor limit
// holds.
AdmissionLimits admission_limits(const Options& options, uint32_t capacity);
std::shared_ptr<const LoopSettings> loop_settings(const Options& options,
                                                  const std::vector<ListenerTls>& tls);
// Threads for TLS handshakes on a machine with so many cores.
uint32_t handshake_threads(const Options& options, size_t cores);
uint64_t memory_bytes_max(const Options& options);  // 0: off

// `running` with everything from `wanted` that a running gateway can take on.
Options with_reloadable(const Options& running, const Options& wanted);

}  // namespace holdfast
