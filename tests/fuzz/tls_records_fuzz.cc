#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/check.h"
#include "gateway/net/tls_records.h"

// What a connection within TLS meets from a peer that has the keys, and from one that has not.
// An input is a byte of choices (bit 0: TLS 1.2; bits 1 and 2: the cipher) and then pieces: a byte
// of what (bit 7: bytes as they are; else a genuine record of type 20 + bits 0 and 1, with bits 2 to
// 6 as zeros behind it), a byte of length, so many bytes. Data that was sealed must come out as it
// went in, whatever is bad ends the connection, and nothing is read past the input: it is a heap
// block of exactly its size, which AddressSanitizer watches.
namespace {

using namespace holdfast;
using Bytes = std::vector<std::byte>;
using Kind = TlsRecords::Kind;

constexpr std::array<std::byte, 4> kKeyUpdateHead = {std::byte{24}, std::byte{0}, std::byte{0},
                                                     std::byte{1}};

TlsSecret secret_of(TlsAead aead, uint8_t seed) {
  TlsSecret secret;
  secret.size = aead == TlsAead::kAes256Gcm ? 48 : 32;
  std::fill_n(secret.bytes.begin(), secret.size, seed);
  return secret;
}

TlsDirection direction_of(uint8_t seed) {
  TlsDirection direction;
  direction.key.fill(seed);
  direction.iv.fill(static_cast<uint8_t>(seed + 1));
  return direction;
}

// The other end, which may say within a genuine record what no library would.
class Peer final {
 public:
  Peer(TlsVersion version, TlsAead aead)
      : version_(version), aead_(aead), secret_(secret_of(aead, 1)), keys_(direction_of(7)) {
    if (version == TlsVersion::k13) derive();
    sequence_ = version == TlsVersion::k13 ? 0 : 1;
  }

  Bytes record(uint8_t type, std::span<const std::byte> plain, size_t zeros) {
    return version_ == TlsVersion::k13 ? record13(type, plain, zeros) : record12(type, plain);
  }

  // The gateway has followed a KeyUpdate.
  void change_key() {
    secret_ = tls13_next_secret(secret_);
    derive();
    sequence_ = 0;
  }

 private:
  void derive() {
    tls13_expand_label(secret_, "key", {}, std::span(keys_.key).first(tls_key_bytes(aead_)));
    tls13_expand_label(secret_, "iv", {}, keys_.iv);
  }

  TlsNonce nonce() const {
    TlsNonce nonce = keys_.iv;
    for (size_t i = 0; i < 8; ++i) {
      nonce[4 + i] ^= static_cast<uint8_t>(sequence_ >> (56 - 8 * i));
    }
    return nonce;
  }

  static Bytes header(uint8_t type, size_t body_bytes) {
    return {std::byte{type}, std::byte{3}, std::byte{3}, static_cast<std::byte>(body_bytes >> 8),
            static_cast<std::byte>(body_bytes)};
  }

  Bytes record13(uint8_t type, std::span<const std::byte> plain, size_t zeros) {
    Bytes inner(plain.begin(), plain.end());
    inner.push_back(std::byte{type});
    inner.insert(inner.end(), zeros, std::byte{0});
    Bytes record = header(23, inner.size() + kTlsTagBytes);
    record.resize(record.size() + inner.size() + kTlsTagBytes);
    const std::array<std::span<const std::byte>, 1> parts = {inner};
    cipher_.seal(aead_, keys_.key, nonce(), {reinterpret_cast<uint8_t*>(record.data()), 5}, parts,
                 record.data() + 5);
    ++sequence_;
    return record;
  }

  Bytes record12(uint8_t type, std::span<const std::byte> plain) {
    const bool is_explicit = aead_ != TlsAead::kChaCha20Poly1305;
    const size_t front = is_explicit ? 8 : 0;
    Bytes record = header(type, front + plain.size() + kTlsTagBytes);
    record.resize(record.size() + front + plain.size() + kTlsTagBytes);
    TlsNonce used = nonce();
    for (size_t i = 0; i < front; ++i) record[5 + i] = std::byte{used[4 + i]};
    std::array<uint8_t, 13> associated{};
    for (size_t i = 0; i < 8; ++i) {
      associated[i] = static_cast<uint8_t>(sequence_ >> (56 - 8 * i));
    }
    associated[8] = type;
    associated[9] = associated[10] = 3;
    associated[11] = static_cast<uint8_t>(plain.size() >> 8);
    associated[12] = static_cast<uint8_t>(plain.size());
    const std::array<std::span<const std::byte>, 1> parts = {plain};
    cipher_.seal(aead_, keys_.key, used, associated, parts, record.data() + 5 + front);
    ++sequence_;
    return record;
  }

  const TlsVersion version_;
  const TlsAead aead_;
  TlsSecret secret_;
  TlsDirection keys_;
  uint64_t sequence_ = 0;
  TlsCipher cipher_;
};

TlsRecords gateway_of(TlsVersion version, TlsAead aead) {
  return version == TlsVersion::k13
             ? TlsRecords::of_tls13(aead, secret_of(aead, 1), secret_of(aead, 2), 0)
             : TlsRecords::of_tls12(aead, direction_of(7), direction_of(9));
}

bool is_over(Kind kind) {
  return kind == Kind::kBad || kind == Kind::kEnd || kind == Kind::kPeerAlert;
}

TlsRecords::Opened open_copy(TlsRecords& gateway, const Bytes& bytes, Bytes& kept,
                             TlsCipher& cipher) {
  kept = bytes;
  kept.shrink_to_fit();
  return gateway.open(kept, cipher);
}

// What a stranger sends opens nothing: no data comes out of it.
bool feed_raw(TlsRecords& gateway, const Bytes& raw, TlsCipher& cipher) {
  Bytes kept;
  const TlsRecords::Opened opened = open_copy(gateway, raw, kept, cipher);
  HF_CHECK(opened.kind == Kind::kNeedMore || opened.kind == Kind::kBad);
  return opened.kind == Kind::kBad;
}

bool feed_record(TlsRecords& gateway, Peer& peer, uint8_t what, std::span<const std::byte> plain,
                 TlsCipher& cipher) {
  const auto type = static_cast<uint8_t>(20 + (what & 3));
  const Bytes record = peer.record(type, plain, what >> 2 & 31);
  Bytes kept;
  for (size_t cut = 0; cut < std::min<size_t>(record.size(), 8); ++cut) {
    const Bytes part(record.begin(), record.begin() + static_cast<std::ptrdiff_t>(cut));
    HF_CHECK(open_copy(gateway, part, kept, cipher).kind == Kind::kNeedMore);
  }
  const TlsRecords::Opened opened = open_copy(gateway, record, kept, cipher);
  if (is_over(opened.kind)) {
    HF_CHECK(type != 23 || opened.kind != Kind::kBad);
    return true;
  }
  HF_CHECK(opened.consumed == record.size());
  if (type == 23) {
    HF_CHECK(opened.kind == (plain.empty() ? Kind::kNothing : Kind::kData));
    HF_CHECK(std::ranges::equal(opened.data, plain));
  } else {
    HF_CHECK(opened.data.empty());
  }
  const bool is_key_update =
      type == 22 && plain.size() == 5 && std::ranges::equal(plain.first(4), kKeyUpdateHead);
  if (is_key_update) peer.change_key();
  return false;
}

}  // namespace

// NOLINTNEXTLINE(readability-identifier-naming): the name that libFuzzer calls.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const TlsVersion version = (data[0] & 1) != 0 ? TlsVersion::k12 : TlsVersion::k13;
  const auto aead = static_cast<TlsAead>((data[0] >> 1 & 3) % kTlsAeads);
  TlsCipher cipher;
  Peer peer(version, aead);
  TlsRecords gateway = gateway_of(version, aead);
  std::span<const uint8_t> rest(data + 1, size - 1);
  while (rest.size() >= 2) {
    const uint8_t what = rest[0];
    const size_t length = std::min<size_t>(rest[1], rest.size() - 2);
    const auto bytes = std::as_bytes(rest.subspan(2, length));
    rest = rest.subspan(2 + length);
    const bool is_raw = (what & 0x80) != 0;
    const bool has_ended = is_raw ? feed_raw(gateway, {bytes.begin(), bytes.end()}, cipher)
                                  : feed_record(gateway, peer, what, bytes, cipher);
    if (has_ended) return 0;
  }
  return 0;
}
