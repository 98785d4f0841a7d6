#include "gateway/net/tls_records.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "common/check.h"

namespace holdfast {
namespace {

constexpr size_t kExplicitNonceBytes = 8;
constexpr size_t kSaltBytes = 4;
constexpr size_t kAlertBytes = 2;
constexpr std::byte kWarning{1};
constexpr std::byte kFatal{2};

uint8_t octet(std::byte value) { return static_cast<uint8_t>(value); }

void put_be64(uint64_t value, uint8_t* out) {
  for (int shift = 56; shift >= 0; shift -= 8) *out++ = static_cast<uint8_t>(value >> shift);
}

uint64_t get_be64(const uint8_t* bytes) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | bytes[i];
  return value;
}

// RFC 8446, 5.3, and RFC 7905, 2: the number, padded to the left, on top of the iv.
TlsNonce nonce_of(const TlsNonce& iv, uint64_t sequence) {
  std::array<uint8_t, 8> number{};
  put_be64(sequence, number.data());
  TlsNonce nonce = iv;
  for (size_t i = 0; i < number.size(); ++i) nonce[kSaltBytes + i] ^= number[i];
  return nonce;
}

// RFC 5246, 6.2.3.3.
std::array<uint8_t, 13> associated_of(uint64_t sequence, uint8_t type, size_t plain_bytes) {
  std::array<uint8_t, 13> associated{};
  put_be64(sequence, associated.data());
  associated[8] = type;
  associated[9] = 3;
  associated[10] = 3;
  associated[11] = static_cast<uint8_t>(plain_bytes >> 8);
  associated[12] = static_cast<uint8_t>(plain_bytes);
  return associated;
}

void put_header(uint8_t type, size_t body_bytes, std::byte* out) {
  out[0] = std::byte{type};
  out[1] = std::byte{3};
  out[2] = std::byte{3};
  out[3] = static_cast<std::byte>(body_bytes >> 8);
  out[4] = static_cast<std::byte>(body_bytes);
}

TlsRecords::Opened bad(TlsAlert alert) { return {.kind = TlsRecords::Kind::kBad, .alert = alert}; }

}  // namespace

TlsRecords::~TlsRecords() {
  OPENSSL_cleanse(&reading_, sizeof reading_);
  OPENSSL_cleanse(&writing_, sizeof writing_);
}

TlsRecords TlsRecords::of_tls13(TlsAead aead, const TlsSecret& reading, const TlsSecret& writing,
                                uint64_t records_written) {
  TlsRecords records;
  records.aead_ = aead;
  records.version_ = TlsVersion::k13;
  records.set_secret(records.reading_, reading);
  records.set_secret(records.writing_, writing);
  records.write_sequence_ = records_written;
  return records;
}

TlsRecords TlsRecords::of_tls12(TlsAead aead, const TlsDirection& reading,
                                const TlsDirection& writing) {
  TlsRecords records;
  records.aead_ = aead;
  records.version_ = TlsVersion::k12;
  records.reading_ = reading;
  records.writing_ = writing;
  records.read_sequence_ = 1;
  records.write_sequence_ = 1;
  return records;
}

TlsSecret TlsRecords::secret_of(const TlsDirection& direction) const {
  TlsSecret secret;
  secret.bytes = direction.secret;
  secret.size = static_cast<uint8_t>(secret_bytes());
  return secret;
}

void TlsRecords::set_secret(TlsDirection& direction, const TlsSecret& secret) {
  HF_CHECK(secret.size == secret_bytes());
  direction.secret = secret.bytes;
  tls13_expand_label(secret, "key", {}, std::span(direction.key).first(tls_key_bytes(aead_)));
  tls13_expand_label(secret, "iv", {}, direction.iv);
}

void TlsRecords::change_key(TlsDirection& direction, uint64_t& sequence) {
  set_secret(direction, tls13_next_secret(secret_of(direction)));
  sequence = 0;
}

TlsRecords::Opened TlsRecords::open(std::span<std::byte> input, TlsCipher& cipher) {
  if (input.size() < kHeaderBytes) return {};
  if (input[1] != std::byte{3} || input[2] != std::byte{3}) return bad(TlsAlert::kDecodeError);
  const size_t body_bytes = size_t{octet(input[3])} << 8 | octet(input[4]);
  if (body_bytes > kPlainBytesMax + 256) return bad(TlsAlert::kRecordOverflow);
  if (input.size() < kHeaderBytes + body_bytes) return {};

  const std::span<std::byte> record = input.first(kHeaderBytes + body_bytes);
  auto type = static_cast<ContentType>(record[0]);
  // Once there are keys TLS 1.3 has no other.
  if (version_ == TlsVersion::k13 && type != ContentType::kData) {
    return bad(TlsAlert::kUnexpectedMessage);
  }
  const auto decrypted = decrypt(record, cipher);
  if (!decrypted) return bad(TlsAlert::kBadRecordMac);
  ++read_sequence_;
  std::span<std::byte> plain = *decrypted;
  if (version_ == TlsVersion::k13) {
    // Behind the content stand its true type and any number of zeros.
    while (!plain.empty() && plain.back() == std::byte{0}) plain = plain.first(plain.size() - 1);
    if (plain.empty()) return bad(TlsAlert::kUnexpectedMessage);
    type = static_cast<ContentType>(plain.back());
    plain = plain.first(plain.size() - 1);
  }
  if (plain.size() > kPlainBytesMax) return bad(TlsAlert::kRecordOverflow);
  Opened opened = on_plain(type, plain);
  opened.consumed = record.size();
  return opened;
}

std::optional<std::span<std::byte>> TlsRecords::decrypt(std::span<std::byte> record,
                                                        TlsCipher& cipher) {
  const size_t front = kHeaderBytes + (has_explicit_nonce() ? kExplicitNonceBytes : 0);
  if (record.size() < front + kTlsTagBytes) return std::nullopt;
  const std::span<std::byte> sealed = record.subspan(front);
  const size_t plain_bytes = sealed.size() - kTlsTagBytes;
  TlsNonce nonce = nonce_of(reading_.iv, read_sequence_);
  if (has_explicit_nonce()) {
    for (size_t i = 0; i < kExplicitNonceBytes; ++i) {
      nonce[kSaltBytes + i] = octet(record[kHeaderBytes + i]);
    }
  }
  bool is_genuine = false;
  if (version_ == TlsVersion::k13) {
    const std::span<const uint8_t> header(reinterpret_cast<const uint8_t*>(record.data()),
                                          kHeaderBytes);
    is_genuine = cipher.open(aead_, reading_.key, nonce, header, sealed);
  } else {
    const auto associated = associated_of(read_sequence_, octet(record[0]), plain_bytes);
    is_genuine = cipher.open(aead_, reading_.key, nonce, associated, sealed);
  }
  if (!is_genuine) return std::nullopt;
  return sealed.first(plain_bytes);
}

TlsRecords::Opened TlsRecords::on_plain(ContentType type, std::span<std::byte> plain) {
  switch (type) {
    case ContentType::kData:
      if (plain.empty()) return {.kind = Kind::kNothing};
      key_updates_in_a_row_ = 0;
      return {.kind = Kind::kData, .data = plain};
    case ContentType::kAlert:
      return on_alert(plain);
    case ContentType::kHandshake:
      return on_handshake(plain);
    case ContentType::kChangeCipherSpec:
      break;
  }
  return bad(TlsAlert::kUnexpectedMessage);
}

TlsRecords::Opened TlsRecords::on_alert(std::span<const std::byte> plain) {
  if (plain.size() != kAlertBytes) return bad(TlsAlert::kDecodeError);
  const auto alert = static_cast<TlsAlert>(plain[1]);
  has_ended_ = alert == TlsAlert::kCloseNotify;
  if (has_ended_) return {.kind = Kind::kEnd};
  // In TLS 1.3 the level says nothing (RFC 8446, 6).
  const bool is_warning =
      version_ == TlsVersion::k12 ? plain[0] == kWarning : alert == TlsAlert::kUserCanceled;
  if (is_warning) return {.kind = Kind::kNothing};
  return {.kind = Kind::kPeerAlert, .alert = alert};
}

// KeyUpdate is the one message that a client may still send (RFC 8446, 4.6.3). Its record ends with
// it, since the next is sealed with the next key.
TlsRecords::Opened TlsRecords::on_handshake(std::span<const std::byte> plain) {
  if (version_ == TlsVersion::k12) return bad(TlsAlert::kNoRenegotiation);
  constexpr std::array<std::byte, 4> kKeyUpdate = {std::byte{24}, std::byte{0}, std::byte{0},
                                                   std::byte{1}};
  const bool is_key_update = plain.size() == kKeyUpdate.size() + 1 &&
                             std::ranges::equal(plain.first(kKeyUpdate.size()), kKeyUpdate);
  if (!is_key_update) return bad(TlsAlert::kUnexpectedMessage);
  const std::byte request = plain.back();
  if (request > std::byte{1}) return bad(TlsAlert::kDecodeError);
  // Each costs more than it says: a peer that does nothing else is up to no good.
  if (++key_updates_in_a_row_ > kKeyUpdatesInARowMax) return bad(TlsAlert::kUnexpectedMessage);
  change_key(reading_, read_sequence_);
  return {.kind = request == std::byte{1} ? Kind::kKeyUpdateWanted : Kind::kNothing};
}

size_t TlsRecords::sealed_bytes_max(size_t plain_bytes) const {
  const size_t records = plain_bytes / plain_bytes_max_ + 1;
  return plain_bytes + records * kOverheadBytesMax + kKeyUpdateRecordBytes;
}

size_t TlsRecords::seal(std::span<const std::byte> plain, std::byte* out, TlsCipher& cipher) {
  std::byte* end = out;
  if (version_ == TlsVersion::k13 && write_sequence_ >= kRecordsPerKeyMax) {
    end += write_key_update(end, cipher);
  }
  while (!plain.empty()) {
    const size_t part = std::min<size_t>(plain.size(), plain_bytes_max_);
    end += seal_record(ContentType::kData, plain.first(part), end, cipher);
    plain = plain.subspan(part);
  }
  return static_cast<size_t>(end - out);
}

size_t TlsRecords::seal_alert(TlsAlert alert, std::byte* out, TlsCipher& cipher) {
  const bool is_warning = alert == TlsAlert::kCloseNotify || alert == TlsAlert::kNoRenegotiation;
  const std::array<std::byte, kAlertBytes> plain = {is_warning ? kWarning : kFatal,
                                                    static_cast<std::byte>(alert)};
  return seal_record(ContentType::kAlert, plain, out, cipher);
}

size_t TlsRecords::write_key_update(std::byte* out, TlsCipher& cipher) {
  HF_CHECK(version_ == TlsVersion::k13);
  constexpr std::array<std::byte, 5> kKeyUpdate = {std::byte{24}, std::byte{0}, std::byte{0},
                                                   std::byte{1}, std::byte{0}};
  const size_t written = seal_record(ContentType::kHandshake, kKeyUpdate, out, cipher);
  change_key(writing_, write_sequence_);
  return written;
}

size_t TlsRecords::seal_record(ContentType type, std::span<const std::byte> plain, std::byte* out,
                               TlsCipher& cipher) {
  const uint64_t sequence = write_sequence_++;
  std::byte* const body = out + kHeaderBytes;
  if (version_ == TlsVersion::k13) {
    const std::byte true_type{static_cast<uint8_t>(type)};
    const size_t body_bytes = plain.size() + 1 + kTlsTagBytes;
    put_header(static_cast<uint8_t>(ContentType::kData), body_bytes, out);
    const std::span<const uint8_t> header(reinterpret_cast<const uint8_t*>(out), kHeaderBytes);
    const std::array<std::span<const std::byte>, 2> parts = {plain, std::span(&true_type, 1)};
    cipher.seal(aead_, writing_.key, nonce_of(writing_.iv, sequence), header, parts, body);
    return kHeaderBytes + body_bytes;
  }
  const auto associated = associated_of(sequence, static_cast<uint8_t>(type), plain.size());
  const std::array<std::span<const std::byte>, 1> parts = {plain};
  if (!has_explicit_nonce()) {
    put_header(static_cast<uint8_t>(type), plain.size() + kTlsTagBytes, out);
    cipher.seal(aead_, writing_.key, nonce_of(writing_.iv, sequence), associated, parts, body);
    return kHeaderBytes + plain.size() + kTlsTagBytes;
  }
  TlsNonce nonce = writing_.iv;
  put_be64(get_be64(&writing_.iv[kSaltBytes]) + sequence, &nonce[kSaltBytes]);
  put_header(static_cast<uint8_t>(type), kExplicitNonceBytes + plain.size() + kTlsTagBytes, out);
  for (size_t i = 0; i < kExplicitNonceBytes; ++i) body[i] = std::byte{nonce[kSaltBytes + i]};
  cipher.seal(aead_, writing_.key, nonce, associated, parts, body + kExplicitNonceBytes);
  return kHeaderBytes + kExplicitNonceBytes + plain.size() + kTlsTagBytes;
}

}  // namespace holdfast
