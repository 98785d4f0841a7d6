#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "common/openssl_handles.h"
#include "common/status.h"
#include "gateway/net/ocsp_staple.h"

namespace holdfast {

struct TlsCertificateFiles {
  std::filesystem::path
      cert;                   // PEM: the server's own certificate, then those between it and a root
  std::filesystem::path key;  // PEM, not encrypted, readable by its owner alone
  std::filesystem::path ocsp;  // DER; empty: none

  bool operator==(const TlsCertificateFiles&) const = default;
};

// A server's certificate with its key, read from files and found fit for use.
struct TlsCertificate {
  CertificateHandle leaf;
  std::vector<CertificateHandle> intermediates;
  KeyHandle key;
  std::vector<std::string> names;  // small letters, sorted, each once: what SNI may ask it by
  std::optional<OcspStaple> staple;
  int64_t expires_s = 0;  // since 1970
};

// Refused: files that cannot be read, a key that others may read or that is encrypted, weak or of
// another certificate, a certificate that is out of its dates or not for servers, a chain out of
// order. Errors name the file and what mends them, on one line. Asks nobody for a password.
Result<TlsCertificate> load_tls_certificate(const TlsCertificateFiles& files);

// All certificates of a PEM text; `file` is named in errors. At least one.
Result<std::vector<CertificateHandle>> parse_certificates(const std::string& pem,
                                                          const std::filesystem::path& file);

}  // namespace holdfast
