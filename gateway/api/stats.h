#pragma once

#include <cstdint>

#include "gateway/api/json_response.h"
#include "gateway/api/node_view.h"

namespace holdfast {

// The body of /v1/stats: what the node has counted since its start, and what is there now. Every
// reason stands in `refused` and `closed`, also when it never came up.
Json stats_json(const NodeView& view, bool is_draining, uint64_t now_ms);

}  // namespace holdfast
