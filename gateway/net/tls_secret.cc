#include "gateway/net/tls_secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>
#include <charconv>

#include "common/check.h"

namespace holdfast {

void tls13_expand_label(const TlsSecret& secret, std::string_view label, std::span<uint8_t> out) {
  constexpr std::string_view kPrefix = "tls13 ";
  HF_CHECK(out.size() <= secret.size && label.size() <= 16);
  // HkdfLabel, and the counter of HKDF's first and only block (RFC 5869, 2.3).
  std::array<uint8_t, 32> info{};
  size_t size = 0;
  info[size++] = 0;
  info[size++] = static_cast<uint8_t>(out.size());
  info[size++] = static_cast<uint8_t>(kPrefix.size() + label.size());
  for (const char c : kPrefix) info[size++] = static_cast<uint8_t>(c);
  for (const char c : label) info[size++] = static_cast<uint8_t>(c);
  info[size++] = 0;  // an empty context
  info[size++] = 1;
  std::array<uint8_t, EVP_MAX_MD_SIZE> block{};
  unsigned int block_bytes = 0;
  HF_CHECK(HMAC(secret.hash(), secret.bytes.data(), secret.size, info.data(), size, block.data(),
                &block_bytes) != nullptr);
  std::copy_n(block.begin(), out.size(), out.begin());
  OPENSSL_cleanse(block.data(), block.size());
}

TlsSecret tls13_next_secret(const TlsSecret& secret) {
  TlsSecret next;
  next.size = secret.size;
  tls13_expand_label(secret, "traffic upd", {next.bytes.data(), next.size});
  return next;
}

bool tls12_key_block(const Tls12Secrets& secrets, std::span<uint8_t> out) {
  static EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "TLS1-PRF", nullptr);
  if (kdf == nullptr) return false;
  constexpr std::string_view kLabel = "key expansion";
  std::array<uint8_t, kLabel.size() + 64> seed{};
  auto end = std::copy(kLabel.begin(), kLabel.end(), seed.begin());
  end = std::copy(secrets.server_random.begin(), secrets.server_random.end(), end);
  std::copy(secrets.client_random.begin(), secrets.client_random.end(), end);
  const auto bytes = [](const char* name, const uint8_t* data, size_t size) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<uint8_t*>(data), size);
  };
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST,
                                       const_cast<char*>(EVP_MD_get0_name(secrets.hash)), 0),
      bytes(OSSL_KDF_PARAM_SECRET, secrets.master.data(), secrets.master.size()),
      bytes(OSSL_KDF_PARAM_SEED, seed.data(), seed.size()),
      OSSL_PARAM_construct_end(),
  };
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(kdf);
  const bool is_done =
      context != nullptr && EVP_KDF_derive(context, out.data(), out.size(), params) == 1;
  EVP_KDF_CTX_free(context);
  return is_done;
}

bool read_hex_secret(std::string_view text, TlsSecret& secret) {
  if (text.size() != 64 && text.size() != 96) return false;
  for (size_t i = 0; i < text.size(); i += 2) {
    const char* const digits = text.data() + i;
    const auto [end, error] = std::from_chars(digits, digits + 2, secret.bytes[i / 2], 16);
    if (error != std::errc{} || end != digits + 2) return false;
  }
  secret.size = static_cast<uint8_t>(text.size() / 2);
  return true;
}

}  // namespace holdfast
