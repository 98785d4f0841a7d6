#pragma once

#include <openssl/evp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace holdfast {

// The ciphers of TLS records that the gateway speaks, in TLS 1.2 and 1.3 alike.
enum class TlsAead : uint8_t { kAes128Gcm, kAes256Gcm, kChaCha20Poly1305 };
inline constexpr size_t kTlsAeads = static_cast<size_t>(TlsAead::kChaCha20Poly1305) + 1;

inline constexpr size_t kTlsKeyBytesMax = 32;
inline constexpr size_t kTlsNonceBytes = 12;
inline constexpr size_t kTlsTagBytes = 16;

constexpr size_t tls_key_bytes(TlsAead aead) { return aead == TlsAead::kAes128Gcm ? 16 : 32; }

using TlsKey = std::array<uint8_t, kTlsKeyBytesMax>;  // tls_key_bytes() of it
using TlsNonce = std::array<uint8_t, kTlsNonceBytes>;

// Encrypts and decrypts records for all connections of a thread. OpenSSL keeps an expanded key in
// 960 bytes a direction; here a connection keeps its key alone, and it is expanded anew for each
// record, which costs a fraction of the record's system call.
// Thread: one.
class TlsCipher final {
 public:
  TlsCipher();
  TlsCipher(const TlsCipher&) = delete;
  TlsCipher& operator=(const TlsCipher&) = delete;
  ~TlsCipher();

  // Encrypts `parts`, one behind the other, to `out`: their bytes and kTlsTagBytes more.
  void seal(TlsAead aead, const TlsKey& key, const TlsNonce& nonce,
            std::span<const uint8_t> associated, std::span<const std::span<const std::byte>> parts,
            std::byte* out);

  // Decrypts `sealed` (the tag stands at its end) in place: its front holds the plain bytes then.
  // False when it was not sealed with this key, nonce and associated data; its bytes are worthless
  // then.
  [[nodiscard]] bool open(TlsAead aead, const TlsKey& key, const TlsNonce& nonce,
                          std::span<const uint8_t> associated, std::span<std::byte> sealed);

 private:
  struct FreeContext {
    void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

  std::array<Context, kTlsAeads> seal_;
  std::array<Context, kTlsAeads> open_;
};

}  // namespace holdfast
