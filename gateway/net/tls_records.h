#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "gateway/net/tls_cipher.h"
#include "gateway/net/tls_secret.h"

namespace holdfast {

enum class TlsVersion : uint8_t { k12, k13 };

// The alerts that the gateway sends or heeds. Source: RFC 8446, 6.
enum class TlsAlert : uint8_t {
  kCloseNotify = 0,
  kUnexpectedMessage = 10,
  kBadRecordMac = 20,
  kRecordOverflow = 22,
  kDecodeError = 50,
  kUserCanceled = 90,
  kNoRenegotiation = 100,
};

// One direction's keys.
struct TlsDirection {
  TlsKey key{};
  std::array<uint8_t, kTlsSecretBytesMax> secret{};  // TLS 1.3: what the key after this comes from
  // The nonce that a record's number is added to. TLS 1.2 with AES-GCM: four bytes of the nonce and,
  // for writing, eight that the number is added to for the nonce's part that travels.
  TlsNonce iv{};
};

// A connection's records once its handshake is over: keys, numbers, and what record follows on
// which. OpenSSL shakes hands and hands its keys over; the 14,000 bytes that it holds an idle
// connection with are given back, and these are all that is left.
// Speaks: TLS 1.3 and 1.2 with the three ciphers of TlsAead. Answers KeyUpdate; has no
// renegotiation, compression, early data or post-handshake authentication.
// Thread: the connection's.
// Owns: secrets; wiped when it goes.
// Limit: a record's plain bytes, by the protocol or what the peer has asked for; 2^23 records under
// one key of TLS 1.3, after which seal() changes it (RFC 8446, 5.5).
class TlsRecords final {
 public:
  static constexpr size_t kHeaderBytes = 5;
  static constexpr size_t kPlainBytesMax = 16384;
  // Header, explicit nonce or type, tag.
  static constexpr size_t kOverheadBytesMax = kHeaderBytes + 8 + kTlsTagBytes;
  static constexpr size_t kAlertRecordBytesMax = kOverheadBytesMax + 2;
  static constexpr size_t kKeyUpdateRecordBytes = kHeaderBytes + 5 + 1 + kTlsTagBytes;

  TlsRecords() = default;
  TlsRecords(const TlsRecords&) = delete;
  TlsRecords& operator=(const TlsRecords&) = delete;
  TlsRecords(TlsRecords&&) = default;
  TlsRecords& operator=(TlsRecords&&) = default;
  ~TlsRecords();

  // `records_written`: how many this side has written under its secret already (tickets).
  static TlsRecords of_tls13(TlsAead aead, const TlsSecret& reading, const TlsSecret& writing,
                             uint64_t records_written);
  // One record, Finished, went each way before. The first eight bytes of the iv that this side's
  // records continue are told by its own Finished.
  static TlsRecords of_tls12(TlsAead aead, const TlsDirection& reading,
                             const TlsDirection& writing);

  enum class Kind : uint8_t {
    kNeedMore,         // no whole record stands at the front
    kData,             // `data` came
    kNothing,          // a record that asks for nothing
    kKeyUpdateWanted,  // answer it by write_key_update()
    kEnd,              // close_notify: the peer sends no more
    kPeerAlert,        // the peer gave up; `alert` says why
    kBad,              // close, telling it `alert`
  };
  struct Opened {
    Kind kind = Kind::kNeedMore;
    TlsAlert alert = TlsAlert::kCloseNotify;
    size_t consumed = 0;          // bytes of input that the record took
    std::span<std::byte> data{};  // lies in the input
  };
  // Opens the record at the front of `input`, in place.
  [[nodiscard]] Opened open(std::span<std::byte> input, TlsCipher& cipher);

  // Bytes that seal() makes of `plain_bytes`, at most.
  size_t sealed_bytes_max(size_t plain_bytes) const;
  // Writes `plain` as one record or several. Returns their bytes.
  size_t seal(std::span<const std::byte> plain, std::byte* out, TlsCipher& cipher);
  size_t seal_alert(TlsAlert alert, std::byte* out, TlsCipher& cipher);
  // TLS 1.3 only: tells the peer that this side's key changes, and changes it.
  size_t write_key_update(std::byte* out, TlsCipher& cipher);

  // The most that a peer wants to get in one record (RFC 6066, 4).
  void set_plain_bytes_max(uint16_t bytes) { plain_bytes_max_ = bytes; }
  TlsVersion version() const { return version_; }
  // The peer's close_notify has come.
  bool has_ended() const { return has_ended_; }

 private:
  static constexpr uint8_t kKeyUpdatesInARowMax = 32;
  static constexpr uint64_t kRecordsPerKeyMax = uint64_t{1} << 23;

  enum class ContentType : uint8_t {
    kChangeCipherSpec = 20,
    kAlert = 21,
    kHandshake = 22,
    kData = 23
  };

  bool has_explicit_nonce() const {
    return version_ == TlsVersion::k12 && aead_ != TlsAead::kChaCha20Poly1305;
  }
  size_t secret_bytes() const { return aead_ == TlsAead::kAes256Gcm ? 48 : 32; }
  TlsSecret secret_of(const TlsDirection& direction) const;
  void set_secret(TlsDirection& direction, const TlsSecret& secret);
  void change_key(TlsDirection& direction, uint64_t& sequence);
  std::optional<std::span<std::byte>> decrypt(std::span<std::byte> record, TlsCipher& cipher);
  size_t seal_record(ContentType type, std::span<const std::byte> plain, std::byte* out,
                     TlsCipher& cipher);
  Opened on_plain(ContentType type, std::span<std::byte> plain);
  Opened on_alert(std::span<const std::byte> plain);
  Opened on_handshake(std::span<const std::byte> plain);

  TlsDirection reading_;
  TlsDirection writing_;
  uint64_t read_sequence_ = 0;
  uint64_t write_sequence_ = 0;
  uint16_t plain_bytes_max_ = kPlainBytesMax;
  TlsAead aead_ = TlsAead::kAes128Gcm;
  TlsVersion version_ = TlsVersion::k13;
  uint8_t key_updates_in_a_row_ = 0;
  bool has_ended_ = false;
};

static_assert(sizeof(TlsRecords) == 208);

}  // namespace holdfast
