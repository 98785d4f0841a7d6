#include "gateway/loaded_tls.h"

#include <algorithm>
#include <utility>

#include "common/log.h"
#include "gateway/listener_tls.h"
#include "gateway/net/certificate_dates.h"

namespace holdfast {
namespace {

constexpr int64_t kDayS = 86'400;
constexpr int64_t kWarnBeforeS = 14 * kDayS;

Result<std::shared_ptr<TicketKeys>> ticket_keys_for(const Options& options, LoadedTls& loaded) {
  if (loaded.own_ticket_keys == nullptr) {
    Result<std::shared_ptr<TicketKeys>> made = TicketKeys::make();
    if (!made.is_ok()) return made;
    loaded.own_ticket_keys = std::move(made.value());
  }
  if (options.tls.ticket_key_file.empty()) return loaded.own_ticket_keys;
  return TicketKeys::read(options.tls.ticket_key_file);
}

// The same file may serve several listeners, and is one line in the metrics.
void note_certificates(const TlsContext& context, std::vector<TlsCertificateInfo>& all) {
  for (const TlsCertificateInfo& certificate : context.certificates()) {
    const bool is_known = std::ranges::any_of(all, [&](const TlsCertificateInfo& known) {
      return known.file == certificate.file && known.names == certificate.names;
    });
    if (!is_known) all.push_back(certificate);
  }
}

}  // namespace

Result<LoadedTls> load_tls(const Options& options, std::shared_ptr<TicketKeys> own_ticket_keys) {
  LoadedTls loaded;
  loaded.own_ticket_keys = std::move(own_ticket_keys);
  const Result<std::shared_ptr<TicketKeys>> ticket_keys = ticket_keys_for(options, loaded);
  if (!ticket_keys.is_ok()) return ticket_keys.status();
  std::vector<TlsContextSettings> settings;
  for (const ListenerOptions& listener : options.listeners) {
    TlsContextSettings wanted = effective_tls(options, listener);
    const auto same = std::ranges::find(settings, wanted);
    std::shared_ptr<const TlsContext> context;
    if (same != settings.end()) {
      context = loaded.listeners[static_cast<size_t>(same - settings.begin())].context;
    } else if (!wanted.certificates.empty()) {
      auto made = TlsContext::load(wanted, ticket_keys.value());
      if (!made.is_ok()) return made.status();
      context = std::move(made.value());
      note_certificates(*context, loaded.certificates);
    }
    settings.push_back(std::move(wanted));
    loaded.listeners.push_back({std::move(context), listener.tls.is_required});
  }
  return loaded;
}

void warn_of_expiry(const std::vector<TlsCertificateInfo>& certificates, int64_t now_s) {
  for (const TlsCertificateInfo& certificate : certificates) {
    if (certificate.expires_s - now_s > kWarnBeforeS) continue;
    log::warn("a certificate expires soon: renew it and send SIGHUP",
              {{"file", certificate.file},
               {"names", certificate.names},
               {"expires", date_text(certificate.expires_s)},
               {"days_left", (certificate.expires_s - now_s) / kDayS}});
  }
}

}  // namespace holdfast
