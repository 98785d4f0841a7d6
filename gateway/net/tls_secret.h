#pragma once

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

// The key schedule behind a handshake: from the secrets that OpenSSL agreed on to the keys of
// records. Pure functions; each takes and gives bytes.
namespace holdfast {

inline constexpr size_t kTlsSecretBytesMax = 48;  // SHA-384's
inline constexpr size_t kTls13LabelBytesMax = 16;
inline constexpr std::string_view kTls13LabelPrefix = "tls13 ";

// A traffic secret of TLS 1.3: 32 bytes under SHA-256, 48 under SHA-384. Wiped when it goes.
struct TlsSecret {
  TlsSecret() = default;
  // `given`: no more bytes than a secret has.
  static TlsSecret of(std::span<const uint8_t> given);
  static TlsSecret zeros(size_t size);
  TlsSecret(const TlsSecret&) = default;
  TlsSecret& operator=(const TlsSecret&) = default;
  ~TlsSecret() { OPENSSL_cleanse(bytes.data(), bytes.size()); }

  std::array<uint8_t, kTlsSecretBytesMax> bytes{};
  uint8_t size = 0;

  std::span<const uint8_t> span() const { return {bytes.data(), size}; }
  std::span<uint8_t> span() { return {bytes.data(), size}; }
};

// HKDF-Expand-Label. `label`: up to kTls13LabelBytesMax, without the prefix that it stands behind;
// `context`: a hash or nothing; `out`: at most a
// hash's length. Source: RFC 8446, 7.1.
void tls13_expand_label(const TlsSecret& secret, std::string_view label,
                        std::span<const uint8_t> context, std::span<uint8_t> out);

// The next secret of the key schedule's chain: HKDF-Extract of `input`, salted by what is derived
// from the secret `before`; without bytes that is the chain's beginning, and `input` without bytes
// stands for zeros. `size`: the hash's. Source: RFC 8446, 7.1.
TlsSecret tls13_extract(size_t size, std::span<const uint8_t> before,
                        std::span<const uint8_t> input);

// The secret that follows a KeyUpdate. Source: RFC 8446, 7.2.
TlsSecret tls13_next_secret(const TlsSecret& secret);

// What TLS 1.2 derives the keys of records from.
struct Tls12Secrets {
  std::array<uint8_t, 48> master{};
  std::array<uint8_t, 32> client_random{};
  std::array<uint8_t, 32> server_random{};
  const EVP_MD* hash = nullptr;  // of the cipher suite
};

// key_block of RFC 5246, 6.3. False when OpenSSL has no such PRF (a build without TLS 1.2).
[[nodiscard]] bool tls12_key_block(const Tls12Secrets& secrets, std::span<uint8_t> out);

}  // namespace holdfast
