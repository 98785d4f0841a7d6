#pragma once

#include <gtest/gtest.h>

#include <array>

#include "gateway/api/node_view.h"

namespace holdfast::test {

// A node of two loops whose counters the test sets; no thread runs.
class NodeFixture : public testing::Test {
 protected:
  NodeFixture()
      : router_(2, 1),
        handshake_threads_(1, router_.loops(), router_),
        acceptor_({}, router_.loops(), router_, router_.acceptor_lanes()),
        view_{.node_id = "n\"1",
              .started_ms = 1000,
              .router = router_,
              .acceptor = acceptor_,
              .handshake_threads = handshake_threads_,
              .loops = {&loops_[0], &loops_[1]},
              .is_ready = [] { return true; },
              .version = "1.2.3"} {}

  Router router_;
  TlsHandshakeThreads handshake_threads_;
  Acceptor acceptor_;
  std::array<LoopCounters, 2> loops_;
  NodeView view_;
};

}  // namespace holdfast::test
