#include "gateway/listener_tls.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "common/check.h"

namespace holdfast {
namespace {

// By the names of listener.protocols.
struct ProtocolName {
  std::string_view protocol;
  std::string_view alpn;
};
constexpr ProtocolName kProtocolNames[] = {
    {"native", "holdfast/1"}, {"mqtt", "mqtt"}, {"websocket", "http/1.1"}};

std::vector<std::string> alpn_of(const std::vector<std::string>& protocols) {
  std::vector<std::string> names;
  for (const std::string& protocol : protocols) {
    const auto known =
        std::ranges::find(kProtocolNames, std::string_view(protocol), &ProtocolName::protocol);
    HF_CHECK(known != std::end(kProtocolNames));
    names.emplace_back(known->alpn);
  }
  return names;
}

// A list that is too short is a breach of the rules (option_rules.h); what it lacks is left out.
std::vector<TlsCertificateFiles> certificates_of(const TlsFileOptions& files) {
  std::vector<TlsCertificateFiles> certificates;
  for (size_t i = 0; i < std::min(files.cert_files.size(), files.key_files.size()); ++i) {
    certificates.push_back({files.cert_files[i], files.key_files[i],
                            i < files.ocsp_files.size() ? files.ocsp_files[i] : ""});
  }
  return certificates;
}

TlsClientAuth client_auth_of(TlsClientAuth inherited, ListenerClientAuth own) {
  switch (own) {
    case ListenerClientAuth::kInherit:
      break;
    case ListenerClientAuth::kOff:
      return TlsClientAuth::kOff;
    case ListenerClientAuth::kOptional:
      return TlsClientAuth::kOptional;
    case ListenerClientAuth::kRequired:
      return TlsClientAuth::kRequired;
  }
  return inherited;
}

}  // namespace

TlsContextSettings effective_tls(const Options& options, const ListenerOptions& listener) {
  const TlsFileOptions& all = options.tls.files;
  const TlsFileOptions& own = listener.tls.files;
  return {.certificates = certificates_of(own.cert_files.empty() ? all : own),
          .client_ca = own.client_ca_file.empty() ? all.client_ca_file : own.client_ca_file,
          .client_auth = client_auth_of(options.tls.client_auth, listener.tls.client_auth),
          .device_id_source = options.tls.device_id_from,
          .alpn = alpn_of(listener.protocols)};
}

}  // namespace holdfast
