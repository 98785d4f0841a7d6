#include "gateway/net/tls_outcome.h"

namespace holdfast {

std::string_view to_text(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::kNotTls:
      return "not_tls";
    case TlsFailure::kVersion:
      return "version";
    case TlsFailure::kCipher:
      return "cipher";
    case TlsFailure::kAlpn:
      return "alpn";
    case TlsFailure::kNoCertificate:
      return "no_certificate";
    case TlsFailure::kBadCertificate:
      return "bad_certificate";
    case TlsFailure::kPeerAlert:
      return "peer_alert";
    case TlsFailure::kProtocolError:
      return "protocol_error";
    case TlsFailure::kTimeout:
      return "timeout";
    case TlsFailure::kPeerClosed:
      return "peer_closed";
    case TlsFailure::kCrowdedOut:
      return "crowded_out";
    case TlsFailure::kInternal:
      return "internal";
  }
  return "";
}

}  // namespace holdfast
