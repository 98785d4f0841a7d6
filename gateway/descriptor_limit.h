#pragma once

#include <cstdint>

#include "common/status.h"

namespace holdfast {

// Raises the process's descriptor limit as far as it may and returns it. An error says which limit
// stands in the way.
Result<uint32_t> raise_descriptor_limit();

// Makes the kernel's table of this process large enough for `limit` descriptors, four million at
// most. Call before threads start: grown under load, the table is copied while every thread that
// opens a descriptor waits for an RCU grace period.
void grow_descriptor_table(uint32_t limit);

// Descriptors open in this process now.
uint32_t count_open_descriptors();

}  // namespace holdfast
