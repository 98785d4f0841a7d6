#include "gateway/api/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <array>
#include <sstream>
#include <string_view>
#include <utility>
#include <vector>

namespace holdfast {
namespace {

using Family = prometheus::MetricFamily;
using Labels = std::vector<prometheus::ClientMetric::Label>;

// Gathers families in the order in which they are written.
class Families final {
 public:
  void begin_counter(std::string name, std::string help) {
    begin(prometheus::MetricType::Counter, std::move(name), std::move(help));
  }
  void begin_gauge(std::string name, std::string help) {
    begin(prometheus::MetricType::Gauge, std::move(name), std::move(help));
  }
  void add(double value, Labels labels = {}) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    Family& family = families_.back();
    if (family.type == prometheus::MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family.metric.push_back(std::move(metric));
  }
  void add(uint64_t value, Labels labels = {}) {
    add(static_cast<double>(value), std::move(labels));
  }
  void add(bool value) { add(value ? 1.0 : 0.0); }

  std::string text() const {
    std::ostringstream out;
    out.imbue(std::locale::classic());
    prometheus::TextSerializer().Serialize(out, families_);
    return out.str();
  }

 private:
  void begin(prometheus::MetricType type, std::string name, std::string help) {
    families_.push_back({std::move(name), std::move(help), type, {}});
  }

  std::vector<Family> families_;
};

struct LoopCounterMetric {
  const char* name;
  const char* help;
  Counter LoopCounters::*counter;
};

constexpr std::array kLoopGauges = {
    LoopCounterMetric{"holdfast_sessions", "Authenticated connections", &LoopCounters::sessions},
    LoopCounterMetric{"holdfast_handshaking_connections",
                      "Connections that have not said HELLO yet", &LoopCounters::handshaking},
    LoopCounterMetric{"holdfast_tls_connections", "Connections within TLS",
                      &LoopCounters::tls_connections},
    LoopCounterMetric{"holdfast_tls_handshakes_in_progress", "TLS handshakes that are going on",
                      &LoopCounters::tls_handshaking},
    LoopCounterMetric{"holdfast_tls_handshakes_waiting",
                      "TLS handshakes that wait for their turn to begin",
                      &LoopCounters::tls_waiting},
};

constexpr std::array kLoopCounters = {
    LoopCounterMetric{"holdfast_logins_total", "HELLOs answered by WELCOME", &LoopCounters::logins},
    LoopCounterMetric{"holdfast_take_overs_total",
                      "Logins that replaced an older session of the device",
                      &LoopCounters::take_overs},
    LoopCounterMetric{"holdfast_heartbeats_total", "PINGs of devices answered",
                      &LoopCounters::heartbeats},
    LoopCounterMetric{"holdfast_server_pings_total", "PINGs sent to silent devices",
                      &LoopCounters::server_pings},
    LoopCounterMetric{"holdfast_frames_received_total", "Frames received",
                      &LoopCounters::frames_in},
    LoopCounterMetric{"holdfast_messages_received_total", "Messages received from devices",
                      &LoopCounters::messages_in},
    LoopCounterMetric{"holdfast_messages_sent_total", "Messages sent to devices",
                      &LoopCounters::messages_out},
    LoopCounterMetric{"holdfast_messages_dropped_total", "Messages that nobody was there for",
                      &LoopCounters::messages_dropped},
    LoopCounterMetric{"holdfast_received_bytes_total", "Bytes received from devices",
                      &LoopCounters::bytes_in},
    LoopCounterMetric{"holdfast_sent_bytes_total", "Bytes sent to devices",
                      &LoopCounters::bytes_out},
    LoopCounterMetric{"holdfast_output_blocked_total",
                      "Times that output had to wait for a full socket",
                      &LoopCounters::output_blocked},
    LoopCounterMetric{"holdfast_stale_commands_total",
                      "Commands for a session that had gone meanwhile",
                      &LoopCounters::stale_commands},
    LoopCounterMetric{"holdfast_deferred_messages_total",
                      "Messages to another thread that had to wait for room",
                      &LoopCounters::deferred},
    LoopCounterMetric{"holdfast_tls_steps_in_loop_total",
                      "Steps of TLS handshakes that the loop did in idle moments",
                      &LoopCounters::tls_steps_in_loop},
    LoopCounterMetric{"holdfast_tls_steps_on_threads_total",
                      "Steps of TLS handshakes that threads did for the loop",
                      &LoopCounters::tls_steps_on_threads},
    LoopCounterMetric{"holdfast_tls_truncated_total",
                      "TLS connections that the peer ended without close_notify",
                      &LoopCounters::tls_truncated},
};

Labels loop_label(size_t loop) { return {{"loop", std::to_string(loop)}}; }

Labels reason_label(std::string_view reason) { return {{"reason", std::string(reason)}}; }

void add_node(Families& families, const MetricsInput& input) {
  families.begin_gauge("holdfast_build_info", "Always 1; the labels tell the build");
  families.add(1.0, {{"version", input.node.version}, {"node", input.node.node_id}});
  families.begin_gauge("holdfast_uptime_seconds", "Seconds since the start");
  families.add(static_cast<double>(input.now_ms - input.node.started_ms) / 1000);
  families.begin_gauge("holdfast_ready", "1 when the node takes connections");
  families.add(input.is_ready);
  families.begin_gauge("holdfast_draining", "1 while the node sends its sessions away");
  families.add(input.is_draining);
}

void add_acceptor(Families& families, const NodeView& node) {
  const Acceptor::Counters& counters = node.acceptor.counters();
  families.begin_gauge("holdfast_connections",
                       "Open connections, those on their way to a loop too");
  families.add(node.acceptor.open_connections());
  families.begin_counter("holdfast_connections_accepted_total", "Connections accepted");
  families.add(counters.accepted.value());
  families.begin_counter("holdfast_connections_refused_total",
                         "Connections turned away, by reason");
  for (size_t i = 0; i < kRefuseReasons; ++i) {
    families.add(counters.refused[i].value(), reason_label(to_text(static_cast<RefuseReason>(i))));
  }
  families.begin_counter("holdfast_connections_closed_total", "Connections closed, by reason");
  for (size_t i = 0; i < kCloseReasons; ++i) {
    const auto reason = static_cast<CloseReason>(i);
    families.add(node.closed(reason), reason_label(to_text(reason)));
  }
  families.begin_counter("holdfast_accept_errors_total", "Calls of accept that failed");
  families.add(counters.accept_errors.value());
  families.begin_counter(
      "holdfast_accept_pauses_total",
      "Times that accepting rested, after an error or for a loop that was behind");
  families.add(counters.pauses.value());
  families.begin_gauge("holdfast_counted_addresses",
                       "Addresses with open connections, while limits.per_address_max is on");
  families.add(counters.addresses.value());
}

void add_loops(Families& families, const NodeView& node) {
  for (const LoopCounterMetric& metric : kLoopGauges) {
    families.begin_gauge(metric.name, metric.help);
    for (size_t i = 0; i < node.loops.size(); ++i) {
      families.add((node.loops[i]->*metric.counter).value(), loop_label(i));
    }
  }
  for (const LoopCounterMetric& metric : kLoopCounters) {
    families.begin_counter(metric.name, metric.help);
    for (size_t i = 0; i < node.loops.size(); ++i) {
      families.add((node.loops[i]->*metric.counter).value(), loop_label(i));
    }
  }
  families.begin_gauge("holdfast_loop_memory_bytes",
                       "User memory of a loop's connections: records, identities, buffers");
  for (size_t i = 0; i < node.loops.size(); ++i) {
    const LoopLoad& load = node.router.load(static_cast<LoopIndex>(i));
    families.add(load.memory_bytes.value(), loop_label(i));
  }
  families.begin_gauge("holdfast_loop_lag_seconds",
                       "How late the latest tick of the last second came");
  for (size_t i = 0; i < node.loops.size(); ++i) {
    families.add(static_cast<double>(node.loops[i]->lag_max_us.value()) / 1e6, loop_label(i));
  }
  families.begin_counter("holdfast_loop_cpu_seconds_total", "CPU time of a loop's thread");
  for (size_t i = 0; i < node.loops.size(); ++i) {
    families.add(static_cast<double>(node.loops[i]->cpu_us.value()) / 1e6, loop_label(i));
  }
  families.begin_gauge("holdfast_memory_bytes",
                       "User memory of all connections, the directory included: what "
                       "limits.memory_max_mib is held against");
  families.add(node.router.memory_bytes());
}

void add_tls(Families& families, const NodeView& node) {
  families.begin_counter("holdfast_tls_handshakes_total",
                         "TLS handshakes that came to a connection, by version and resumption");
  for (const TlsVersion version : {TlsVersion::k12, TlsVersion::k13}) {
    for (const bool is_resumed : {false, true}) {
      families.add(node.tls_established(version, is_resumed),
                   {{"version", version == TlsVersion::k13 ? "1.3" : "1.2"},
                    {"resumed", is_resumed ? "true" : "false"}});
    }
  }
  families.begin_counter("holdfast_tls_handshakes_failed_total",
                         "TLS handshakes that came to nothing, by reason");
  for (size_t i = 0; i < kTlsFailures; ++i) {
    const auto failure = static_cast<TlsFailure>(i);
    families.add(node.tls_failed(failure), reason_label(to_text(failure)));
  }
  families.begin_counter("holdfast_tls_handshake_cpu_seconds_total",
                         "CPU time of a thread that does the steps of TLS handshakes");
  for (uint32_t i = 0; i < node.handshake_threads.count(); ++i) {
    families.add(static_cast<double>(node.handshake_threads.cpu_us(i).value()) / 1e6,
                 {{"thread", std::to_string(i)}});
  }
}

void add_certificates(Families& families, const NodeView& node) {
  if (node.certificates == nullptr || node.certificates->empty()) return;
  families.begin_gauge("holdfast_tls_certificate_expiry_seconds",
                       "When a loaded certificate runs out, in seconds since 1970");
  for (const TlsCertificateInfo& certificate : *node.certificates) {
    families.add(static_cast<double>(certificate.expires_s),
                 {{"file", certificate.file}, {"names", certificate.names}});
  }
}

void add_admin(Families& families, const AdminFigures& admin) {
  families.begin_gauge("holdfast_admin_connections", "Open connections of admin clients");
  families.add(admin.connections);
  families.begin_counter("holdfast_admin_connections_accepted_total",
                         "Connections of admin clients accepted");
  families.add(admin.accepted);
  families.begin_counter("holdfast_admin_connections_refused_total",
                         "Connections of admin clients that there was no room for");
  families.add(admin.refused_connections);
  families.begin_counter("holdfast_admin_accept_errors_total",
                         "Calls of accept on the admin listener that failed");
  families.add(admin.accept_errors);
  families.begin_counter("holdfast_admin_auth_failures_total",
                         "Requests turned away for their token, Host or Origin");
  families.add(admin.auth_failures);
  families.begin_counter("holdfast_admin_late_answers_total",
                         "Answers whose client had gone before they were ready");
  families.add(admin.late_answers);
  families.begin_counter("holdfast_admin_late_replies_total",
                         "Replies of loops that came after their request had been answered");
  families.add(admin.late_replies);
  families.begin_counter("holdfast_admin_responses_total", "Responses to admin clients, by status");
  for (const auto& [status, count] : admin.responses) {
    families.add(count, {{"code", std::to_string(status)}});
  }
}

// Under the names that every Prometheus client library gives them.
void add_process(Families& families, const ProcessFacts& process) {
  families.begin_counter("process_cpu_seconds_total", "User and system CPU time of the process");
  families.add(process.cpu_s);
  families.begin_gauge("process_resident_memory_bytes", "Resident memory of the process");
  families.add(process.resident_bytes);
  if (!process.open_descriptors) return;
  families.begin_gauge("process_open_fds", "Open descriptors of the process");
  families.add(*process.open_descriptors);
}

}  // namespace

std::string metrics_text(const MetricsInput& input) {
  Families families;
  add_node(families, input);
  add_acceptor(families, input.node);
  add_loops(families, input.node);
  add_tls(families, input.node);
  add_certificates(families, input.node);
  add_admin(families, input.admin);
  add_process(families, input.process);
  return families.text();
}

}  // namespace holdfast
