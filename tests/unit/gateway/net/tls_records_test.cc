#include "gateway/net/tls_records.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/gateway/net/tls_secret_digits.h"
#include "tests/unit/support/bytes.h"

namespace holdfast {
namespace {

using Kind = TlsRecords::Kind;

TlsSecret secret_of(TlsAead aead, uint8_t seed) {
  TlsSecret secret;
  secret.size = aead == TlsAead::kAes256Gcm ? 48 : 32;
  for (size_t i = 0; i < secret.size; ++i) secret.bytes[i] = static_cast<uint8_t>(seed + i);
  return secret;
}

TlsDirection direction_of(uint8_t seed) {
  TlsDirection direction;
  direction.key.fill(seed);
  direction.iv.fill(static_cast<uint8_t>(seed + 1));
  return direction;
}

// Both ends of one connection, with keys that never saw a handshake.
struct Ends {
  TlsRecords device;
  TlsRecords server;
};

Ends ends_of(TlsVersion version, TlsAead aead) {
  if (version == TlsVersion::k13) {
    const TlsSecret up = secret_of(aead, 1);
    const TlsSecret down = secret_of(aead, 100);
    return {TlsRecords::of_tls13(aead, down, up, 0), TlsRecords::of_tls13(aead, up, down, 0)};
  }
  return {TlsRecords::of_tls12(aead, direction_of(9), direction_of(7)),
          TlsRecords::of_tls12(aead, direction_of(7), direction_of(9))};
}

struct Suite {
  TlsVersion version;
  TlsAead aead;
};

class TlsRecordsTest : public testing::TestWithParam<Suite> {
 protected:
  TlsRecordsTest() : ends_(ends_of(GetParam().version, GetParam().aead)) {}

  std::vector<std::byte> sealed(TlsRecords& records, std::string_view text) {
    std::vector<std::byte> out(records.sealed_bytes_max(text.size()));
    out.resize(records.seal(std::as_bytes(std::span(text)), out.data(), cipher_));
    return out;
  }
  TlsRecords::Opened open(TlsRecords& records, std::vector<std::byte>& bytes) {
    return records.open(bytes, cipher_);
  }
  static std::string text_of(const TlsRecords::Opened& opened) {
    return {reinterpret_cast<const char*>(opened.data.data()), opened.data.size()};
  }

  TlsCipher cipher_;
  Ends ends_;
};

TEST_P(TlsRecordsTest, WhatOneEndSealsTheOtherOpens) {
  for (const std::string& text : {std::string("ping"), std::string("x"), std::string(5000, 'y')}) {
    std::vector<std::byte> record = sealed(ends_.device, text);
    const auto opened = open(ends_.server, record);
    ASSERT_EQ(opened.kind, Kind::kData);
    EXPECT_EQ(text_of(opened), text);
    EXPECT_EQ(opened.consumed, record.size());
  }
}

TEST_P(TlsRecordsTest, APartOfARecordIsNotOpened) {
  std::vector<std::byte> record = sealed(ends_.device, "ping");
  for (size_t bytes = 0; bytes < record.size(); ++bytes) {
    std::vector<std::byte> part(record.begin(), record.begin() + static_cast<long>(bytes));
    EXPECT_EQ(open(ends_.server, part).kind, Kind::kNeedMore);
  }
  EXPECT_EQ(open(ends_.server, record).kind, Kind::kData);
}

TEST_P(TlsRecordsTest, EveryBitOfARecordCounts) {
  const std::vector<std::byte> record = sealed(ends_.device, "ping");
  for (size_t bit = 0; bit < record.size() * 8; ++bit) {
    std::vector<std::byte> changed = record;
    changed[bit / 8] ^= std::byte{1} << (bit % 8);
    const Kind kind = open(ends_.server, changed).kind;
    EXPECT_TRUE(kind == Kind::kBad || kind == Kind::kNeedMore) << "bit " << bit;
  }
  std::vector<std::byte> untouched = record;
  EXPECT_EQ(open(ends_.server, untouched).kind, Kind::kData);
}

TEST_P(TlsRecordsTest, ARecordThatComesTwiceIsBad) {
  const std::vector<std::byte> record = sealed(ends_.device, "ping");
  std::vector<std::byte> first = record;
  std::vector<std::byte> second = record;
  EXPECT_EQ(open(ends_.server, first).kind, Kind::kData);
  const auto opened = open(ends_.server, second);
  EXPECT_EQ(opened.kind, Kind::kBad);
  EXPECT_EQ(opened.alert, TlsAlert::kBadRecordMac);
}

TEST_P(TlsRecordsTest, LongOutputIsCutIntoRecords) {
  ends_.server.set_plain_bytes_max(512);
  std::vector<std::byte> records = sealed(ends_.server, std::string(1200, 'z'));
  std::span<std::byte> rest(records);
  std::vector<size_t> sizes;
  while (!rest.empty()) {
    const auto opened = ends_.device.open(rest, cipher_);
    ASSERT_EQ(opened.kind, Kind::kData);
    sizes.push_back(opened.data.size());
    rest = rest.subspan(opened.consumed);
  }
  EXPECT_EQ(sizes, (std::vector<size_t>{512, 512, 176}));
}

TEST_P(TlsRecordsTest, AnAnnouncedLengthOverTheLimitIsBadAtOnce) {
  std::vector<std::byte> head = {std::byte{23}, std::byte{3}, std::byte{3}, std::byte{0x41},
                                 std::byte{1}};
  const auto opened = open(ends_.server, head);
  EXPECT_EQ(opened.kind, Kind::kBad);
  EXPECT_EQ(opened.alert, TlsAlert::kRecordOverflow);
}

TEST_P(TlsRecordsTest, CloseNotifyIsTheEnd) {
  std::vector<std::byte> record(TlsRecords::kAlertRecordBytesMax);
  record.resize(ends_.device.seal_alert(TlsAlert::kCloseNotify, record.data(), cipher_));
  EXPECT_EQ(open(ends_.server, record).kind, Kind::kEnd);
}

TEST_P(TlsRecordsTest, AFatalAlertIsThePeersLastWord) {
  std::vector<std::byte> record(TlsRecords::kAlertRecordBytesMax);
  record.resize(ends_.device.seal_alert(TlsAlert::kDecodeError, record.data(), cipher_));
  const auto opened = open(ends_.server, record);
  EXPECT_EQ(opened.kind, Kind::kPeerAlert);
  EXPECT_EQ(opened.alert, TlsAlert::kDecodeError);
}

INSTANTIATE_TEST_SUITE_P(Suites, TlsRecordsTest,
                         testing::Values(Suite{TlsVersion::k12, TlsAead::kAes128Gcm},
                                         Suite{TlsVersion::k12, TlsAead::kAes256Gcm},
                                         Suite{TlsVersion::k12, TlsAead::kChaCha20Poly1305},
                                         Suite{TlsVersion::k13, TlsAead::kAes128Gcm},
                                         Suite{TlsVersion::k13, TlsAead::kAes256Gcm},
                                         Suite{TlsVersion::k13, TlsAead::kChaCha20Poly1305}));

class TlsKeyUpdateTest : public testing::Test {
 protected:
  // A record of a chosen inner type, as only a peer with the keys can make.
  std::vector<std::byte> record_of(uint8_t type, std::vector<uint8_t> plain, size_t zeros = 0) {
    const TlsSecret secret = secret_of(TlsAead::kAes128Gcm, 1);
    TlsKey key{};
    TlsNonce iv{};
    tls13_expand_label(secret, "key", {}, std::span(key).first(16));
    tls13_expand_label(secret, "iv", {}, iv);
    plain.push_back(type);
    plain.insert(plain.end(), zeros, 0);
    const size_t body_bytes = plain.size() + kTlsTagBytes;
    std::vector<std::byte> record(TlsRecords::kHeaderBytes + body_bytes);
    record[0] = std::byte{23};
    record[1] = record[2] = std::byte{3};
    record[3] = static_cast<std::byte>(body_bytes >> 8);
    record[4] = static_cast<std::byte>(body_bytes);
    const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(plain))};
    cipher_.seal(TlsAead::kAes128Gcm, key, iv,
                 {reinterpret_cast<const uint8_t*>(record.data()), TlsRecords::kHeaderBytes}, parts,
                 record.data() + TlsRecords::kHeaderBytes);
    return record;
  }
  TlsRecords::Opened open(std::vector<std::byte> record) {
    return ends_.server.open(record, cipher_);
  }

  TlsCipher cipher_;
  Ends ends_ = ends_of(TlsVersion::k13, TlsAead::kAes128Gcm);
};

TEST_F(TlsKeyUpdateTest, BothEndsGoOnUnderNewKeys) {
  std::vector<std::byte> update(TlsRecords::kKeyUpdateRecordBytes);
  ASSERT_EQ(ends_.device.write_key_update(update.data(), cipher_), update.size());
  EXPECT_EQ(open(update).kind, Kind::kNothing);
  const std::string text = "ping";
  std::vector<std::byte> record(ends_.device.sealed_bytes_max(text.size()));
  record.resize(ends_.device.seal(std::as_bytes(std::span(text)), record.data(), cipher_));
  EXPECT_EQ(open(record).kind, Kind::kData);
}

TEST_F(TlsKeyUpdateTest, ARequestIsToBeAnswered) {
  EXPECT_EQ(open(record_of(22, {24, 0, 0, 1, 1})).kind, Kind::kKeyUpdateWanted);
}

TEST_F(TlsKeyUpdateTest, WhatIsNoKeyUpdateIsBad) {
  EXPECT_EQ(open(record_of(22, {24, 0, 0, 1, 2})).alert, TlsAlert::kDecodeError);
  for (const std::vector<uint8_t>& plain : {std::vector<uint8_t>{},
                                            {24},
                                            {24, 0, 0, 1},
                                            {24, 0, 0, 1, 0, 0},
                                            {1, 0, 0, 1, 0},
                                            {24, 0, 0, 2, 0, 0}}) {
    Ends fresh = ends_of(TlsVersion::k13, TlsAead::kAes128Gcm);
    std::vector<std::byte> record = record_of(22, plain);
    const auto opened = fresh.server.open(record, cipher_);
    EXPECT_EQ(opened.kind, Kind::kBad);
  }
}

TEST_F(TlsKeyUpdateTest, NothingButKeyUpdatesIsBadInTheEnd) {
  TlsRecords::Opened opened;
  int updates = 0;
  do {
    std::vector<std::byte> update(TlsRecords::kKeyUpdateRecordBytes);
    ASSERT_EQ(ends_.device.write_key_update(update.data(), cipher_), update.size());
    opened = open(update);
  } while (opened.kind == Kind::kNothing && ++updates < 1000);
  EXPECT_EQ(opened.kind, Kind::kBad);
  EXPECT_EQ(updates, 32);
}

TEST_F(TlsKeyUpdateTest, PaddingIsTakenOff) {
  const auto opened = open(record_of(23, {1, 2, 3}, 200));
  ASSERT_EQ(opened.kind, Kind::kData);
  EXPECT_EQ(opened.data.size(), 3u);
}

TEST_F(TlsKeyUpdateTest, NothingButPaddingIsBad) {
  EXPECT_EQ(open(record_of(0, {}, 20)).alert, TlsAlert::kUnexpectedMessage);
}

TEST_F(TlsKeyUpdateTest, AnEmptyRecordAsksForNothing) {
  EXPECT_EQ(open(record_of(23, {})).kind, Kind::kNothing);
}

TEST_F(TlsKeyUpdateTest, UserCanceledIsNoEnd) {
  EXPECT_EQ(open(record_of(21, {1, 90})).kind, Kind::kNothing);
}

TEST_F(TlsKeyUpdateTest, ChangeCipherSpecComesTooLate) {
  std::vector<std::byte> record = {std::byte{20}, std::byte{3}, std::byte{3},
                                   std::byte{0},  std::byte{1}, std::byte{1}};
  const auto opened = open(record);
  EXPECT_EQ(opened.kind, Kind::kBad);
  EXPECT_EQ(opened.alert, TlsAlert::kUnexpectedMessage);
}

// Source of the bytes: RFC 8448, 3, the client's application data.
TEST(TlsRecords, OpensTheExampleOfTheStandard) {
  const TlsSecret client =
      test::secret_from_hex("9E40646CE79A7F9DC05AF8889BCE6552875AFA0B06DF0087F792EBB7C17504A5");
  const TlsSecret server =
      test::secret_from_hex("A11AF9F05531F856AD47116B45A950328204B4F44BFB6B3A4B4F1F3FCB631643");
  TlsRecords records = TlsRecords::of_tls13(TlsAead::kAes128Gcm, client, server, 0);
  TlsCipher cipher;
  std::vector<std::byte> record = test::from_hex(
      "1703030043A23F7054B62C94D0AFFAFE8228BA55CBEFACEA42F914AA66BCAB3F2B9819A8A5B46B395BD54A9A2044"
      "1E2B62974E1F5A6292A2977014BD1E3DEAE63AEEBB21694915E4");
  const auto opened = records.open(record, cipher);
  ASSERT_EQ(opened.kind, Kind::kData);
  ASSERT_EQ(opened.data.size(), 50u);
  for (size_t i = 0; i < 50; ++i) EXPECT_EQ(opened.data[i], static_cast<std::byte>(i));
}

TEST(TlsRecords, RenegotiationIsRefused) {
  Ends ends = ends_of(TlsVersion::k12, TlsAead::kChaCha20Poly1305);
  TlsCipher cipher;
  // A ClientHello's first bytes, sealed as TLS 1.2 seals them.
  const TlsDirection keys = direction_of(7);
  const std::vector<uint8_t> plain = {1, 0, 0, 0};
  const std::array<uint8_t, 13> associated = {0, 0, 0, 0, 0, 0, 0, 1, 22, 3, 3, 0, 4};
  TlsNonce nonce = keys.iv;
  nonce[11] ^= 1;
  std::vector<std::byte> record(TlsRecords::kHeaderBytes + plain.size() + kTlsTagBytes);
  record[0] = std::byte{22};
  record[1] = record[2] = std::byte{3};
  record[4] = static_cast<std::byte>(plain.size() + kTlsTagBytes);
  const std::array<std::span<const std::byte>, 1> parts = {std::as_bytes(std::span(plain))};
  cipher.seal(TlsAead::kChaCha20Poly1305, keys.key, nonce, associated, parts,
              record.data() + TlsRecords::kHeaderBytes);
  const auto opened = ends.server.open(record, cipher);
  EXPECT_EQ(opened.kind, Kind::kBad);
  EXPECT_EQ(opened.alert, TlsAlert::kNoRenegotiation);
}

}  // namespace
}  // namespace holdfast
