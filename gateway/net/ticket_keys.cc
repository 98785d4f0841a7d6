#include "gateway/net/ticket_keys.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <string>
#include <utility>

#include "common/openssl_handles.h"
#include "common/small_file.h"

namespace holdfast {
namespace {

constexpr int kIvBytes = 16;

static_assert(TicketKeys::kKeyBytes == 80);

bool fill_random(TicketKey& key) {
  return RAND_bytes(key.name.data(), static_cast<int>(key.name.size())) == 1 &&
         RAND_priv_bytes(key.cipher_key.data(), static_cast<int>(key.cipher_key.size())) == 1 &&
         RAND_priv_bytes(key.mac_key.data(), static_cast<int>(key.mac_key.size())) == 1;
}

Status no_random() {
  return Status::error("cannot make a key for session tickets: " + take_openssl_error());
}

bool set_mac(const TicketKey& key, EVP_MAC_CTX* mac) {
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(
          OSSL_MAC_PARAM_KEY, const_cast<uint8_t*>(key.mac_key.data()), key.mac_key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end(),
  };
  return EVP_MAC_CTX_set_params(mac, params) == 1;
}

TicketKey key_at(const char* bytes) {
  TicketKey key;
  std::copy_n(bytes, key.name.size(), reinterpret_cast<char*>(key.name.data()));
  bytes += key.name.size();
  std::copy_n(bytes, key.cipher_key.size(), reinterpret_cast<char*>(key.cipher_key.data()));
  bytes += key.cipher_key.size();
  std::copy_n(bytes, key.mac_key.size(), reinterpret_cast<char*>(key.mac_key.data()));
  return key;
}

bool has_double_name(const std::vector<TicketKey>& keys) {
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    if (std::find_if(keys.begin(), key,
                     [&](const TicketKey& earlier) { return earlier.name == key->name; }) != key) {
      return true;
    }
  }
  return false;
}

}  // namespace

TicketKey::~TicketKey() { OPENSSL_cleanse(this, sizeof *this); }

Result<std::shared_ptr<TicketKeys>> TicketKeys::make() {
  Keys keys(1);
  if (!fill_random(keys.front())) return no_random();
  return std::shared_ptr<TicketKeys>(new TicketKeys(std::move(keys)));
}

Result<std::shared_ptr<TicketKeys>> TicketKeys::read(const std::filesystem::path& file) {
  Result<std::string> read = read_small_file(file, kKeysMax * kKeyBytes, FilePrivacy::kOwnerOnly);
  if (!read.is_ok()) return read.status();
  std::string& bytes = read.value();
  Keys keys;
  const bool is_whole = !bytes.empty() && bytes.size() % kKeyBytes == 0;
  for (size_t at = 0; is_whole && at < bytes.size(); at += kKeyBytes) {
    keys.push_back(key_at(bytes.data() + at));
  }
  OPENSSL_cleanse(bytes.data(), bytes.size());
  if (!is_whole) {
    return Status::error(file.string() + " has " + std::to_string(bytes.size()) +
                         " bytes: a ticket key has 80, and 1 to 8 of them stand one behind the "
                         "other; `tools/certs --ticket-key` makes one");
  }
  if (has_double_name(keys)) {
    return Status::error(file.string() +
                         " has two keys with the same first 16 bytes, which name a key: make each "
                         "with `tools/certs --ticket-key`");
  }
  return std::shared_ptr<TicketKeys>(new TicketKeys(std::move(keys)));
}

Status TicketKeys::rotate() {
  Keys keys(1);
  if (!fill_random(keys.front())) return no_random();
  const std::lock_guard lock(mutex_);
  const size_t kept = std::min(keys_->size(), kKeptMax - 1);
  keys.insert(keys.end(), keys_->begin(), keys_->begin() + static_cast<ptrdiff_t>(kept));
  keys_ = std::make_shared<const Keys>(std::move(keys));
  return Status::ok();
}

std::shared_ptr<const TicketKeys::Keys> TicketKeys::snapshot() const {
  const std::lock_guard lock(mutex_);
  return keys_;
}

int TicketKeys::seal(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
  const auto keys = snapshot();
  const TicketKey& key = keys->front();
  std::ranges::copy(key.name, name);
  const bool is_set =
      RAND_bytes(iv, kIvBytes) == 1 &&
      EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher_key.data(), iv) == 1 &&
      set_mac(key, mac);
  return is_set ? 1 : -1;
}

int TicketKeys::open(const unsigned char* name, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                     EVP_MAC_CTX* mac) const {
  const auto keys = snapshot();
  const auto key = std::ranges::find_if(*keys, [name](const TicketKey& candidate) {
    return std::equal(candidate.name.begin(), candidate.name.end(), name);
  });
  if (key == keys->end()) return 0;
  const bool is_set = set_mac(*key, mac) && EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), nullptr,
                                                               key->cipher_key.data(), iv) == 1;
  if (!is_set) return -1;
  return key == keys->begin() ? 1 : 2;
}

}  // namespace holdfast
