#include "gateway/api/stats.h"

#include <cstddef>

#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

Json refused_json(const Acceptor::Counters& counters) {
  Json refused = Json::object();
  for (size_t i = 0; i < kRefuseReasons; ++i) {
    refused[std::string(to_text(static_cast<RefuseReason>(i)))] = counters.refused[i].value();
  }
  return refused;
}

Json closed_json(const NodeView& view) {
  Json closed = Json::object();
  for (size_t i = 0; i < kCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    closed[std::string(to_text(reason))] = view.closed(reason);
  }
  return closed;
}

Json tls_json(const NodeView& view) {
  Json failed = Json::object();
  for (size_t i = 0; i < kTlsFailures; ++i) {
    const auto failure = static_cast<TlsFailure>(i);
    failed[std::string(to_text(failure))] = view.tls_failed(failure);
  }
  const auto established = [&view](bool is_resumed) {
    return view.tls_established(TlsVersion::k12, is_resumed) +
           view.tls_established(TlsVersion::k13, is_resumed);
  };
  return {
      {"connections", view.sum(&LoopCounters::tls_connections)},
      {"handshakes_in_progress", view.sum(&LoopCounters::tls_handshaking)},
      {"handshakes_waiting", view.sum(&LoopCounters::tls_waiting)},
      {"steps_in_loop", view.sum(&LoopCounters::tls_steps_in_loop)},
      {"steps_on_threads", view.sum(&LoopCounters::tls_steps_on_threads)},
      {"full", established(false)},
      {"resumed", established(true)},
      {"failed", std::move(failed)},
      {"truncated", view.sum(&LoopCounters::tls_truncated)},
  };
}

Json loop_json(const NodeView& view, LoopIndex index) {
  const LoopCounters& counters = *view.loops[index];
  return {
      {"index", index},
      {"connections", view.connections(index)},
      {"sessions", counters.sessions.value()},
      {"logins", counters.logins.value()},
      {"heartbeats", counters.heartbeats.value()},
      {"bytes_in", counters.bytes_in.value()},
      {"bytes_out", counters.bytes_out.value()},
      {"lag_ms", static_cast<double>(counters.lag_max_us.value()) / 1000},
      {"cpu_s", static_cast<double>(counters.cpu_us.value()) / 1e6},
      {"memory_bytes", view.router.load(index).memory_bytes.value()},
  };
}

}  // namespace

Json stats_json(const NodeView& view, bool is_draining, uint64_t now_ms) {
  const Acceptor::Counters& acceptor = view.acceptor.counters();
  Json stats{
      {"node", view.node_id},
      {"uptime_s", (now_ms - view.started_ms) / 1000},
      {"draining", is_draining},
      {"connections", view.acceptor.open_connections()},
      {"sessions", view.sum(&LoopCounters::sessions)},
      {"accepted", acceptor.accepted.value()},
      {"refused", refused_json(acceptor)},
      {"closed", closed_json(view)},
      {"heartbeats", view.sum(&LoopCounters::heartbeats)},
      {"messages_in", view.sum(&LoopCounters::messages_in)},
      {"messages_out", view.sum(&LoopCounters::messages_out)},
      {"tls", tls_json(view)},
      {"loops", Json::array()},
  };
  for (size_t i = 0; i < view.loops.size(); ++i) {
    stats["loops"].push_back(loop_json(view, static_cast<LoopIndex>(i)));
  }
  return stats;
}

}  // namespace holdfast
