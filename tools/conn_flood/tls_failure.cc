#include "tools/conn_flood/tls_failure.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <array>

#include "tools/conn_flood/errno_text.h"

namespace holdfast::flood {
namespace {

struct Alert {
  uint8_t number;
  std::string_view name;
  std::string_view mend = "";
};

// Of OpenSSL's names some are missing and some are cut short.
constexpr auto kAlerts = std::to_array<Alert>({
    {10, "unexpected_message"},
    {20, "bad_record_mac"},
    {22, "record_overflow"},
    // In TLS 1.2 also what a server says of a certificate that is missing.
    {40, "handshake_failure", "no cipher in common, or it asks for a certificate: --cert, --key"},
    {42, "bad_certificate", "--cert is none that the server accepts"},
    {43, "unsupported_certificate", "--cert is none that the server accepts"},
    {44, "certificate_revoked"},
    {45, "certificate_expired", "--cert is out of date"},
    {46, "certificate_unknown"},
    {47, "illegal_parameter"},
    {48, "unknown_ca", "the server does not trust the issuer of --cert"},
    {49, "access_denied"},
    {50, "decode_error"},
    {51, "decrypt_error"},
    {70, "protocol_version", "the server speaks another version than --tls-version"},
    {71, "insufficient_security"},
    {80, "internal_error"},
    {86, "inappropriate_fallback"},
    {90, "user_canceled"},
    {109, "missing_extension"},
    {110, "unsupported_extension"},
    {112, "unrecognized_name", "the server has no certificate of that --server-name"},
    {113, "bad_certificate_status_response"},
    {115, "unknown_psk_identity"},
    {116, "certificate_required", "give --cert and --key"},
    {120, "no_application_protocol", "the server does not speak holdfast/1"},
});

const Alert* find_alert(uint32_t number) {
  const auto at = std::find_if(kAlerts.begin(), kAlerts.end(),
                               [number](const Alert& alert) { return alert.number == number; });
  return at == kAlerts.end() ? nullptr : &*at;
}

std::string with_mend(std::string text, std::string_view mend) {
  if (!mend.empty()) text.append("; ").append(mend);
  return text;
}

std::string explain_alert(uint32_t number) {
  const Alert* alert = find_alert(number);
  return with_mend("alert " + alert_text(static_cast<uint8_t>(number)),
                   alert == nullptr ? std::string_view{} : alert->mend);
}

std::string_view mend_of_certificate(uint32_t verdict) {
  switch (verdict) {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return "give the name that is in it as --server-name";
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
      return "--ca does not hold its issuer";
    default:
      return "";
  }
}

std::string openssl_text(uint32_t code) {
  if (ERR_SYSTEM_ERROR(code)) return errno_text(ERR_GET_REASON(code));
  const char* text = ERR_reason_error_string(code);
  return text == nullptr ? "error " + std::to_string(code) : text;
}

std::string explain_protocol_error(uint32_t code) {
  const bool is_plain =
      ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER;
  return with_mend(openssl_text(code), is_plain ? "does the target speak TLS there?" : "");
}

}  // namespace

std::string_view to_text(TlsFailureKind kind) {
  switch (kind) {
    case TlsFailureKind::kAlert:
      return "alert";
    case TlsFailureKind::kCertificateRefused:
      return "certificate_refused";
    case TlsFailureKind::kTimeout:
      return "timeout";
    case TlsFailureKind::kClosed:
      return "closed";
    case TlsFailureKind::kProtocolError:
      return "protocol_error";
    case TlsFailureKind::kOwnFiles:
      return "own_files";
  }
  return "unknown";
}

std::string alert_text(uint8_t number) {
  const Alert* alert = find_alert(number);
  std::string text = std::to_string(number);
  if (alert != nullptr) text.append(" ").append(alert->name);
  return text;
}

std::string explain(const TlsFailure& failure) {
  switch (failure.kind) {
    case TlsFailureKind::kAlert:
      return explain_alert(failure.code);
    case TlsFailureKind::kCertificateRefused:
      return with_mend(X509_verify_cert_error_string(static_cast<long>(failure.code)),
                       mend_of_certificate(failure.code));
    case TlsFailureKind::kTimeout:
      return "the handshake was not over within --welcome-timeout";
    case TlsFailureKind::kClosed:
      return "the server closed within the handshake";
    case TlsFailureKind::kProtocolError:
      return explain_protocol_error(failure.code);
    case TlsFailureKind::kOwnFiles:
      return "a client's --cert or --key could not be loaded: " + openssl_text(failure.code);
  }
  return "";
}

}  // namespace holdfast::flood
