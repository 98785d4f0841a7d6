#pragma once

#include <cstdint>

#include "common/status.h"

namespace holdfast::flood {

// Descriptors of a process that are not clients: standard streams, epoll sets, libraries.
inline constexpr uint64_t kDescriptorsReserved = 64;

// Raises the soft limit on descriptors to the hard one, and the hard one to `wanted` where the
// process is privileged to. Returns the limit that holds then.
[[nodiscard]] uint64_t raise_descriptor_limit(uint64_t wanted);

// How many processes hold the connections when each may have `descriptors`: `processes` if that
// suffices, as few as do when it is 0, else an error with the mend.
[[nodiscard]] Result<uint32_t> choose_processes(uint32_t connections, uint32_t threads,
                                                uint32_t processes, uint64_t descriptors);

}  // namespace holdfast::flood
