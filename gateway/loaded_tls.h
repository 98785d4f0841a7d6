#pragma once

#include <memory>
#include <vector>

#include "common/status.h"
#include "gateway/net/ticket_keys.h"
#include "gateway/net/tls_context.h"
#include "gateway/options.h"
#include "gateway/route/command.h"

namespace holdfast {

// What the files hold that settings name for TLS. Beside Options, which are only values.
struct LoadedTls {
  std::vector<ListenerTls> listeners;            // by index, as many as options have
  std::vector<TlsCertificateInfo> certificates;  // each file once
  std::shared_ptr<TicketKeys> own_ticket_keys;   // in use unless there is a file of them
};

// Reads all of them, or fails at the first that cannot be used, with one line that names it and
// says what mends it. `own_ticket_keys`: those that are in use already, or null at the start.
Result<LoadedTls> load_tls(const Options& options, std::shared_ptr<TicketKeys> own_ticket_keys);

// Logs each certificate that runs out soon.
void warn_of_expiry(const std::vector<TlsCertificateInfo>& certificates, int64_t now_s);

}  // namespace holdfast
