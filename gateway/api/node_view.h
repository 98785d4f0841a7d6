#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "common/counter.h"
#include "gateway/net/acceptor.h"
#include "gateway/net/close_reason.h"
#include "gateway/net/tls_context.h"
#include "gateway/route/loop_counters.h"
#include "gateway/route/router.h"

namespace holdfast {

// What statistics and metrics are taken from. Everything named here outlives the view.
// Thread: control; the counters behind it are written by others and read at any time, so figures of
// one answer belong to moments that lie close together, not to one moment.
struct NodeView {
  std::string node_id;
  uint64_t started_ms = 0;  // monotonic
  Router& router;
  const Acceptor& acceptor;
  std::vector<const LoopCounters*> loops;  // by loop index
  std::function<bool()> is_ready;          // listeners run and the node does not drain
  std::string version = {};
  // Those that are loaded now; null: none.
  const std::vector<TlsCertificateInfo>* certificates = nullptr;

  // Of all loops.
  uint64_t sum(Counter LoopCounters::*counter) const;
  uint64_t closed(CloseReason reason) const;
  // Of one loop: with a session or on the way to one.
  uint64_t connections(LoopIndex loop) const;
};

}  // namespace holdfast
