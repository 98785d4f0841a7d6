#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace holdfast {

// How a TLS handshake ended that did not come to a connection. Counted, one each.
enum class TlsFailure : uint8_t {
  kNotTls,          // a listener for TLS only, and the first bytes are something else
  kVersion,         // the client speaks none of the versions
  kCipher,          // no cipher, group or signature in common
  kAlpn,            // the client names protocols, and none of the listener's
  kNoCertificate,   // one is required, and the client has none
  kBadCertificate,  // expired, of another CA, not for clients
  kPeerAlert,       // the client gave up, so it does not trust the server's certificate, say
  kProtocolError,   // a message that may not be
  kTimeout,         // not done within tls.handshake_timeout_ms
  kPeerClosed,      // the client went away
  kCrowdedOut,      // waited for its client longest, and others waited for their turn
  kInternal,        // OpenSSL failed: no memory, say
};
inline constexpr size_t kTlsFailures = static_cast<size_t>(TlsFailure::kInternal) + 1;

// The name used in metrics, statistics and logs, e.g. "bad_certificate".
std::string_view to_text(TlsFailure failure);

}  // namespace holdfast
