#pragma once

#include <openssl/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "common/status.h"

namespace holdfast {

// One key of session tickets, in the order of a file's bytes. Wiped when it goes.
struct TicketKey {
  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey();

  std::array<uint8_t, 16> name{};  // stands in the ticket, in the clear
  std::array<uint8_t, 32> cipher_key{};
  std::array<uint8_t, 32> mac_key{};
};

// What session tickets are sealed with (RFC 5077, 4): AES-256 in CBC, HMAC-SHA-256. The first key
// seals; the others open tickets that it has sealed before it was put in front of them, or that
// another node has, which shares the file.
// Thread: any.
// Limit: kKeysMax keys of a file, kKeptMax of those made here.
class TicketKeys final {
 public:
  static constexpr size_t kKeyBytes = sizeof(TicketKey);
  static constexpr size_t kKeysMax = 8;
  static constexpr size_t kKeptMax = 3;

  // One key, known to this process alone.
  static Result<std::shared_ptr<TicketKeys>> make();
  // 1 to kKeysMax keys of kKeyBytes, one behind the other, in a file that its owner alone may read.
  static Result<std::shared_ptr<TicketKeys>> read(const std::filesystem::path& file);

  TicketKeys(const TicketKeys&) = delete;
  TicketKeys& operator=(const TicketKeys&) = delete;

  // Puts a new key in front; the oldest beyond kKeptMax is forgotten, and its tickets with it.
  Status rotate();
  size_t count() const { return snapshot()->size(); }

  // For SSL_CTX_set_tlsext_ticket_key_evp_cb(3), whose results these are: 1 done, 0 no such key
  // (then the handshake is a full one), -1 OpenSSL failed; open() gives 2 when the key is not the
  // first, so that the client is given a ticket of the first.
  int seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac) const;
  int open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
           EVP_MAC_CTX* mac) const;

 private:
  using Keys = std::vector<TicketKey>;

  explicit TicketKeys(Keys keys) : keys_(std::make_shared<const Keys>(std::move(keys))) {}
  std::shared_ptr<const Keys> snapshot() const;

  mutable std::mutex mutex_;
  std::shared_ptr<const Keys> keys_;  // replaced whole, never empty
};

}  // namespace holdfast
