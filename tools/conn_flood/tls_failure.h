#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast::flood {

// Why a connection could not be secured.
enum class TlsFailureKind : uint8_t {
  kAlert,               // the server said why
  kCertificateRefused,  // by us: the server's
  kTimeout,
  kClosed,  // the server closed or reset without a word
  kProtocolError,
  kOwnFiles,  // the client's own certificate or key could not be loaded
};
inline constexpr size_t kTlsFailureKindCount = 6;
std::string_view to_text(TlsFailureKind kind);

struct TlsFailure {
  TlsFailureKind kind = TlsFailureKind::kProtocolError;
  // kAlert: the alert's number; kCertificateRefused: OpenSSL's X509_V_ERR_...; kProtocolError and
  // kOwnFiles: OpenSSL's packed error; else 0.
  uint32_t code = 0;
};

// "116 certificate_required"; the number alone when it has no name. Source: RFC 8446, 6 and B.2.
std::string alert_text(uint8_t number);

// What it means in words, with the mend where there is one.
std::string explain(const TlsFailure& failure);

}  // namespace holdfast::flood
