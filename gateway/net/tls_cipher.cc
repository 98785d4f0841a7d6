#include "gateway/net/tls_cipher.h"

#include "common/check.h"

namespace holdfast {
namespace {

const EVP_CIPHER* cipher_of(size_t aead) {
  switch (static_cast<TlsAead>(aead)) {
    case TlsAead::kAes128Gcm:
      return EVP_aes_128_gcm();
    case TlsAead::kAes256Gcm:
      return EVP_aes_256_gcm();
    case TlsAead::kChaCha20Poly1305:
      return EVP_chacha20_poly1305();
  }
  return nullptr;
}

uint8_t* raw(std::byte* bytes) { return reinterpret_cast<uint8_t*>(bytes); }
const uint8_t* raw(const std::byte* bytes) { return reinterpret_cast<const uint8_t*>(bytes); }

}  // namespace

TlsCipher::TlsCipher() {
  for (size_t aead = 0; aead < kTlsAeads; ++aead) {
    seal_[aead].reset(EVP_CIPHER_CTX_new());
    open_[aead].reset(EVP_CIPHER_CTX_new());
    // Looked up once: by name it would cost more than a record.
    HF_CHECK(
        EVP_EncryptInit_ex(seal_[aead].get(), cipher_of(aead), nullptr, nullptr, nullptr) == 1 &&
        EVP_DecryptInit_ex(open_[aead].get(), cipher_of(aead), nullptr, nullptr, nullptr) == 1);
  }
}

TlsCipher::~TlsCipher() = default;

void TlsCipher::seal(TlsAead aead, const TlsKey& key, const TlsNonce& nonce,
                     std::span<const uint8_t> associated,
                     std::span<const std::span<const std::byte>> parts, std::byte* out) {
  EVP_CIPHER_CTX* const context = seal_[static_cast<size_t>(aead)].get();
  int written = 0;
  bool is_done = EVP_EncryptInit_ex(context, nullptr, nullptr, key.data(), nonce.data()) == 1 &&
                 EVP_EncryptUpdate(context, nullptr, &written, associated.data(),
                                   static_cast<int>(associated.size())) == 1;
  for (const std::span<const std::byte> part : parts) {
    is_done = is_done && EVP_EncryptUpdate(context, raw(out), &written, raw(part.data()),
                                           static_cast<int>(part.size())) == 1;
    out += part.size();
  }
  is_done = is_done && EVP_EncryptFinal_ex(context, raw(out), &written) == 1 &&
            EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTlsTagBytes, raw(out)) == 1;
  HF_CHECK(is_done);  // nothing of it depends on a peer
}

bool TlsCipher::open(TlsAead aead, const TlsKey& key, const TlsNonce& nonce,
                     std::span<const uint8_t> associated, std::span<std::byte> sealed) {
  HF_CHECK(sealed.size() >= kTlsTagBytes);
  EVP_CIPHER_CTX* const context = open_[static_cast<size_t>(aead)].get();
  const size_t plain_bytes = sealed.size() - kTlsTagBytes;
  uint8_t* const bytes = raw(sealed.data());
  int written = 0;
  HF_CHECK(EVP_DecryptInit_ex(context, nullptr, nullptr, key.data(), nonce.data()) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTlsTagBytes, bytes + plain_bytes) ==
               1 &&
           EVP_DecryptUpdate(context, nullptr, &written, associated.data(),
                             static_cast<int>(associated.size())) == 1);
  if (plain_bytes > 0 &&
      EVP_DecryptUpdate(context, bytes, &written, bytes, static_cast<int>(plain_bytes)) != 1) {
    return false;
  }
  return EVP_DecryptFinal_ex(context, bytes + plain_bytes, &written) == 1;
}

}  // namespace holdfast
