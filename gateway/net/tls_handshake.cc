#include "gateway/net/tls_handshake.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include "common/check.h"

namespace holdfast {
namespace {

constexpr std::byte kChangeCipherSpec{20};
constexpr std::byte kHandshakeRecord{22};
constexpr std::byte kDataRecord{23};
constexpr size_t kExplicitNonceBytes = 8;
constexpr size_t kSaltBytes = 4;
constexpr size_t kRecordBodyBytesMax = TlsRecords::kPlainBytesMax + 256;

size_t body_bytes_of(std::span<const std::byte> record) {
  return static_cast<size_t>(record[3]) << 8 | static_cast<size_t>(record[4]);
}

// The length of the record at the front; nothing when it is not whole.
size_t whole_record_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() < TlsRecords::kHeaderBytes) return 0;
  const size_t record = TlsRecords::kHeaderBytes + body_bytes_of(bytes);
  return record <= bytes.size() ? record : 0;
}

bool announces_too_much(std::span<const std::byte> bytes) {
  return bytes.size() >= TlsRecords::kHeaderBytes && body_bytes_of(bytes) > kRecordBodyBytesMax;
}

TlsFailure failure_of(int reason) {
  if (reason >= SSL_AD_REASON_OFFSET) return TlsFailure::kPeerAlert;
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
      return TlsFailure::kVersion;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return TlsFailure::kCipher;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return TlsFailure::kAlpn;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return TlsFailure::kNoCertificate;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return TlsFailure::kBadCertificate;
    case ERR_R_MALLOC_FAILURE:
    case ERR_R_INTERNAL_ERROR:
      return TlsFailure::kInternal;
    default:
      return TlsFailure::kProtocolError;
  }
}

bool aead_of(const SSL_CIPHER* cipher, TlsAead& aead) {
  switch (SSL_CIPHER_get_cipher_nid(cipher)) {
    case NID_aes_128_gcm:
      aead = TlsAead::kAes128Gcm;
      return true;
    case NID_aes_256_gcm:
      aead = TlsAead::kAes256Gcm;
      return true;
    case NID_chacha20_poly1305:
      aead = TlsAead::kChaCha20Poly1305;
      return true;
    default:
      return false;
  }
}

}  // namespace

TlsHandshake::TlsHandshake(std::shared_ptr<const TlsContext> context)
    : context_(std::move(context)) {}

// OpenSSL's object goes first: it holds a BIO that points here.
TlsHandshake::~TlsHandshake() { ssl_.reset(); }

bool TlsHandshake::add_input(std::span<const std::byte> bytes) {
  input_.insert(input_.end(), bytes.begin(), bytes.end());
  return !announces_too_much(input_) && input_.size() <= kInputBytesMax;
}

bool TlsHandshake::is_short() const {
  return context_->signs_quickly() && !context_->asks_for_certificates() &&
         read_before_ + input_.size() <= kShortInputBytesMax;
}

bool TlsHandshake::has_whole_record() const { return whole_record_bytes(input_) > 0; }

// OpenSSL reads what has come and writes what is to be sent where they are.
const BIO_METHOD* TlsHandshake::bio_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* const made =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "a handshake's bytes");
    const bool is_made = made != nullptr && BIO_meth_set_read(made, &TlsHandshake::on_read) == 1 &&
                         BIO_meth_set_write(made, &TlsHandshake::on_write) == 1 &&
                         BIO_meth_set_ctrl(made, [](BIO*, int command, long, void*) -> long {
                           return command == BIO_CTRL_FLUSH ? 1 : 0;
                         }) == 1;
    HF_CHECK(is_made);
    return made;
  }();
  return method;
}

int TlsHandshake::on_read(BIO* bio, char* bytes, int wanted) {
  auto& self = *static_cast<TlsHandshake*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const size_t count = std::min(static_cast<size_t>(wanted), self.readable_ - self.read_);
  if (count == 0) {
    BIO_set_retry_read(bio);
    return -1;
  }
  std::memcpy(bytes, self.input_.data() + self.read_, count);
  self.read_ += count;
  return static_cast<int>(count);
}

int TlsHandshake::on_write(BIO* bio, const char* bytes, int count) {
  auto& self = *static_cast<TlsHandshake*>(BIO_get_data(bio));
  const auto* const begin = reinterpret_cast<const std::byte*>(bytes);
  self.output_.insert(self.output_.end(), begin, begin + count);
  return count;
}

bool TlsHandshake::open() {
  ssl_.reset(SSL_new(context_->native()));
  BIO* const bio = ssl_ == nullptr ? nullptr : BIO_new(bio_method());
  if (bio == nullptr) return false;
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_accept_state(ssl_.get());
  return true;
}

TlsHandshake::Status TlsHandshake::step() {
  ERR_clear_error();
  output_.clear();
  status_ = run();
  if (status_ != Status::kWantsInput) ssl_.reset();
  return status_;
}

TlsHandshake::Status TlsHandshake::run() {
  if (ssl_ == nullptr && !open()) return fail(TlsFailure::kInternal);
  if (++steps_ > kStepsMax) return fail(TlsFailure::kProtocolError);
  // Whole records only: the part of one that has come stays, so that its header is at the front.
  std::span<const std::byte> rest = input_;
  while (const size_t bytes = whole_record_bytes(rest)) rest = rest.subspan(bytes);
  if (announces_too_much(rest)) return fail(TlsFailure::kProtocolError);
  readable_ = input_.size() - rest.size();
  read_ = 0;
  const TlsSecretTap tap(secrets_);
  const int result = SSL_do_handshake(ssl_.get());
  const int error = SSL_get_error(ssl_.get(), result);
  input_.erase(input_.begin(), input_.begin() + static_cast<ptrdiff_t>(read_));
  read_before_ += read_;
  note_records();
  if (result == 1) return finish();
  if (error == SSL_ERROR_WANT_READ) return Status::kWantsInput;
  return fail_by_openssl(error);
}

TlsHandshake::Status TlsHandshake::fail(TlsFailure failure) {
  failure_ = failure;
  return Status::kFailed;
}

TlsHandshake::Status TlsHandshake::fail_by_openssl(int error) {
  const unsigned long code = ERR_peek_last_error();
  if (const char* const reason = ERR_reason_error_string(code)) failure_text_ = reason;
  ERR_clear_error();
  if (error != SSL_ERROR_SSL || code == 0) return fail(TlsFailure::kInternal);
  return fail(failure_of(ERR_GET_REASON(code)));
}

// How far this side's own records have come, which OpenSSL does not tell.
void TlsHandshake::note_records() {
  data_records_written_ = 0;
  std::span<const std::byte> rest = output_;
  while (const size_t bytes = whole_record_bytes(rest)) {
    const std::span<const std::byte> record = rest.first(bytes);
    rest = rest.subspan(bytes);
    if (record[0] == kChangeCipherSpec) has_changed_cipher_ = true;
    if (record[0] == kDataRecord) ++data_records_written_;
    const bool is_finished = has_changed_cipher_ && record[0] == kHandshakeRecord &&
                             bytes >= TlsRecords::kHeaderBytes + kExplicitNonceBytes;
    if (!is_finished) continue;
    for (size_t i = 0; i < kExplicitNonceBytes; ++i) {
      finished_.iv[kSaltBytes + i] = static_cast<uint8_t>(record[TlsRecords::kHeaderBytes + i]);
    }
  }
}

TlsHandshake::Status TlsHandshake::finish() {
  TlsAead aead{};
  // Bytes within the last record, behind Finished, belong nowhere (RFC 8446, 5.1).
  if (SSL_has_pending(ssl_.get()) == 1) return fail(TlsFailure::kProtocolError);
  // A resumed session brings the certificate of the first.
  if (!context_->still_admits(ssl_.get())) return fail(TlsFailure::kBadCertificate);
  if (!aead_of(SSL_get_current_cipher(ssl_.get()), aead) || !make_records(aead)) {
    return fail(TlsFailure::kInternal);
  }
  note_facts();
  return Status::kDone;
}

bool TlsHandshake::make_records(TlsAead aead) {
  if (SSL_version(ssl_.get()) == TLS1_2_VERSION) {
    if (!make_tls12_records(aead)) return false;
  } else {
    const size_t wanted = aead == TlsAead::kAes256Gcm ? 48 : 32;
    if (secrets_.client.size != wanted || secrets_.server.size != wanted) return false;
    // The client waits for this side's Finished before it sends its own. So what the last step has
    // written under the keys of data are tickets, and nothing was written before it.
    records_ = TlsRecords::of_tls13(aead, secrets_.client, secrets_.server, data_records_written_);
  }
  const uint8_t mode = SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl_.get()));
  if (mode >= TLSEXT_max_fragment_length_512 && mode <= TLSEXT_max_fragment_length_4096) {
    records_.set_plain_bytes_max(static_cast<uint16_t>(256U << mode));
  }
  return true;
}

bool TlsHandshake::make_tls12_records(TlsAead aead) {
  SSL* const ssl = ssl_.get();
  Tls12Secrets secrets;
  secrets.hash = SSL_CIPHER_get_handshake_digest(SSL_get_current_cipher(ssl));
  SSL_SESSION_get_master_key(SSL_get_session(ssl), secrets.master.data(), secrets.master.size());
  SSL_get_client_random(ssl, secrets.client_random.data(), secrets.client_random.size());
  SSL_get_server_random(ssl, secrets.server_random.data(), secrets.server_random.size());
  const size_t key_bytes = tls_key_bytes(aead);
  const bool has_salt = aead != TlsAead::kChaCha20Poly1305;
  const size_t iv_bytes = has_salt ? kSaltBytes : kTlsNonceBytes;
  std::array<uint8_t, 2 * (kTlsKeyBytesMax + kTlsNonceBytes)> block{};
  const bool is_done = secrets.hash != nullptr &&
                       tls12_key_block(secrets, std::span(block).first(2 * (key_bytes + iv_bytes)));
  TlsDirection reading;
  TlsDirection writing;
  if (has_salt) writing.iv = finished_.iv;
  const uint8_t* from = block.data();
  for (TlsDirection* const direction : {&reading, &writing}) {
    std::copy_n(from, key_bytes, direction->key.begin());
    from += key_bytes;
  }
  for (TlsDirection* const direction : {&reading, &writing}) {
    std::copy_n(from, iv_bytes, direction->iv.begin());
    from += iv_bytes;
  }
  if (is_done) records_ = TlsRecords::of_tls12(aead, reading, writing);
  OPENSSL_cleanse(&secrets, sizeof secrets);
  OPENSSL_cleanse(block.data(), block.size());
  OPENSSL_cleanse(&reading, sizeof reading);
  OPENSSL_cleanse(&writing, sizeof writing);
  return is_done;
}

void TlsHandshake::note_facts() {
  SSL* const ssl = ssl_.get();
  facts_.version = records_.version();
  facts_.is_resumed = SSL_session_reused(ssl) == 1;
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr || !context_->checks_device_id()) return;
  facts_.checks_device_id = true;
  facts_.device_names = context_->device_names(*certificate);
}

}  // namespace holdfast
