#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/openssl_handles.h"

// Certificates made for a test, in memory.
namespace holdfast::test {

enum class KeyKind { kP256, kRsa2048, kRsa1024, kSecp256k1, kEd25519 };

struct Identity {
  CertificateHandle certificate;
  KeyHandle key;

  std::string pem() const;
  std::string key_pem() const;
  std::string encrypted_key_pem() const;
};

struct Wish {
  std::string common_name = {};
  std::vector<std::string> alt_names = {};  // "DNS:a.example", "URI:urn:b", "IP:127.0.0.1"
  KeyKind key = KeyKind::kP256;
  const char* usage = "serverAuth";  // null: none said
  bool is_authority = false;
  int64_t from_s = -3600;  // from now
  int64_t to_s = 90 * 86'400;
};

// Signed by `issuer`, or by itself.
Identity make_identity(const Wish& wish, const Identity* issuer = nullptr);
Identity make_authority(const std::string& name);

struct OcspWish {
  int outcome = OCSP_RESPONSE_STATUS_SUCCESSFUL;
  int verdict = V_OCSP_CERTSTATUS_GOOD;
  int64_t from_s = -3600;  // from now
  int64_t to_s = 3600;
};
// An authority's response on `subject`, in DER.
std::string make_ocsp_response(const Identity& subject, const Identity& issuer,
                               const OcspWish& wish = {});

}  // namespace holdfast::test
