#include "gateway/net/tls_secret.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <algorithm>

#include "common/check.h"

namespace holdfast {
namespace {

// HMAC, set up but for its key: looking the algorithms up takes longer than a short message. The last
// key stays in it until the next.
class Hmac final {
 public:
  explicit Hmac(const char* hash) {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
    HF_CHECK(mac != nullptr);
    context_ = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(hash), 0),
        OSSL_PARAM_construct_end(),
    };
    HF_CHECK(context_ != nullptr && EVP_MAC_CTX_set_params(context_, params) == 1);
  }
  Hmac(const Hmac&) = delete;
  Hmac& operator=(const Hmac&) = delete;
  ~Hmac() { EVP_MAC_CTX_free(context_); }

  void sign(std::span<const uint8_t> key, std::span<const uint8_t> message,
            std::span<uint8_t> out) {
    size_t bytes = 0;
    HF_CHECK(EVP_MAC_init(context_, key.data(), key.size(), nullptr) == 1 &&
             EVP_MAC_update(context_, message.data(), message.size()) == 1 &&
             EVP_MAC_final(context_, out.data(), &bytes, out.size()) == 1);
  }

 private:
  EVP_MAC_CTX* context_ = nullptr;
};

// `size`: the hash's.
Hmac& hmac_of(size_t size) {
  thread_local Hmac sha256("SHA256");
  thread_local Hmac sha384("SHA384");
  return size == kTlsSecretBytesMax ? sha384 : sha256;
}

TlsSecret hash_of_nothing(const EVP_MD* hash) {
  TlsSecret digest = TlsSecret::zeros(static_cast<size_t>(EVP_MD_get_size(hash)));
  HF_CHECK(EVP_Digest(nullptr, 0, digest.bytes.data(), nullptr, hash, nullptr) == 1);
  return digest;
}

const TlsSecret& hash_of_nothing(size_t size) {
  static const TlsSecret sha256 = hash_of_nothing(EVP_sha256());
  static const TlsSecret sha384 = hash_of_nothing(EVP_sha384());
  return size == kTlsSecretBytesMax ? sha384 : sha256;
}

}  // namespace

TlsSecret TlsSecret::of(std::span<const uint8_t> given) {
  TlsSecret secret = zeros(given.size());
  std::ranges::copy(given, secret.bytes.begin());
  return secret;
}

TlsSecret TlsSecret::zeros(size_t size) {
  HF_CHECK(size <= kTlsSecretBytesMax);
  TlsSecret secret;
  secret.size = static_cast<uint8_t>(size);
  return secret;
}

void tls13_expand_label(const TlsSecret& secret, std::string_view label,
                        std::span<const uint8_t> context, std::span<uint8_t> out) {
  constexpr std::string_view kPrefix = kTls13LabelPrefix;
  HF_CHECK(out.size() <= secret.size && label.size() <= kTls13LabelBytesMax &&
           context.size() <= kTlsSecretBytesMax);
  // HkdfLabel, and the counter of HKDF's first and only block (RFC 5869, 2.3).
  std::array<uint8_t, 4 + kPrefix.size() + kTls13LabelBytesMax + kTlsSecretBytesMax + 1> info{};
  size_t size = 0;
  info[size++] = 0;
  info[size++] = static_cast<uint8_t>(out.size());
  info[size++] = static_cast<uint8_t>(kPrefix.size() + label.size());
  for (const char c : kPrefix) info[size++] = static_cast<uint8_t>(c);
  for (const char c : label) info[size++] = static_cast<uint8_t>(c);
  info[size++] = static_cast<uint8_t>(context.size());
  for (const uint8_t byte : context) info[size++] = byte;
  info[size++] = 1;
  std::array<uint8_t, EVP_MAX_MD_SIZE> block{};
  hmac_of(secret.size).sign(secret.span(), std::span(info).first(size), block);
  std::copy_n(block.begin(), out.size(), out.begin());
  OPENSSL_cleanse(block.data(), block.size());
}

TlsSecret tls13_extract(size_t size, std::span<const uint8_t> before,
                        std::span<const uint8_t> input) {
  HF_CHECK(before.empty() || before.size() == size);
  TlsSecret salt = TlsSecret::zeros(size);
  if (!before.empty()) {
    const TlsSecret& nothing = hash_of_nothing(size);
    tls13_expand_label(TlsSecret::of(before), "derived", nothing.span(), salt.span());
  }
  const TlsSecret zeros = TlsSecret::zeros(size);
  TlsSecret secret = TlsSecret::zeros(size);
  hmac_of(size).sign(salt.span(), input.empty() ? zeros.span() : input, secret.span());
  return secret;
}

TlsSecret tls13_next_secret(const TlsSecret& secret) {
  TlsSecret next = TlsSecret::zeros(secret.size);
  tls13_expand_label(secret, "traffic upd", {}, next.span());
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

}  // namespace holdfast
