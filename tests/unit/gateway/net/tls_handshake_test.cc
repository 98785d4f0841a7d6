#include "gateway/net/tls_handshake.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/unit/support/tls_files.h"

namespace holdfast {
namespace {

using Status = TlsHandshake::Status;

// OpenSSL's own client at the other end, fed by hand.
class Client final {
 public:
  explicit Client(int version, const char* cipher = nullptr)
      : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_min_proto_version(context_.get(), version);
    SSL_CTX_set_max_proto_version(context_.get(), version);
    if (cipher != nullptr && version == TLS1_3_VERSION) {
      EXPECT_EQ(SSL_CTX_set_ciphersuites(context_.get(), cipher), 1);
    } else if (cipher != nullptr) {
      EXPECT_EQ(SSL_CTX_set_cipher_list(context_.get(), cipher), 1);
    }
    begin();
  }

  // Another connection, with the last one's session.
  void come_back() {
    session_.reset(SSL_get1_session(ssl_.get()));
    // One that ends without a word is not to be resumed (SSL_shutdown(3)).
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    begin();
    EXPECT_EQ(SSL_set_session(ssl_.get(), session_.get()), 1);
  }

  SSL* ssl() { return ssl_.get(); }
  SSL_CTX* context() { return context_.get(); }
  bool is_reused() const { return SSL_session_reused(ssl_.get()) == 1; }

  void take(std::span<const std::byte> bytes) {
    if (bytes.empty()) return;
    EXPECT_EQ(BIO_write(rx_, bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  std::vector<std::byte> give() {
    char* bytes = nullptr;
    const long count = BIO_get_mem_data(tx_, &bytes);
    const auto* const begin = reinterpret_cast<const std::byte*>(bytes);
    std::vector<std::byte> given(begin, begin + count);
    BIO_reset(tx_);
    return given;
  }
  bool shake() { return SSL_do_handshake(ssl_.get()) == 1; }
  void write(const std::string& text) {
    EXPECT_EQ(SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())),
              static_cast<int>(text.size()));
  }
  std::string read() {
    std::string text(65536, '\0');
    const int got = SSL_read(ssl_.get(), text.data(), static_cast<int>(text.size()));
    text.resize(got > 0 ? static_cast<size_t>(got) : 0);
    return text;
  }

 private:
  void begin() {
    ssl_.reset(SSL_new(context_.get()));
    rx_ = BIO_new(BIO_s_mem());
    tx_ = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(rx_, -1);
    SSL_set_bio(ssl_.get(), rx_, tx_);
    SSL_set_connect_state(ssl_.get());
  }

  SslContextHandle context_;
  SslSessionHandle session_;
  SslHandle ssl_;
  BIO* rx_ = nullptr;
  BIO* tx_ = nullptr;
};

class TlsHandshakeTest : public testing::Test {
 protected:
  TlsHandshakeTest() : context_(files_.context()) {}

  // Messages to and fro until the server has come to an end. What the client says at the end is
  // `last_words`, in the same breath as its Finished.
  std::unique_ptr<TlsHandshake> shake(Client& client, const std::string& last_words = {}) {
    auto server = std::make_unique<TlsHandshake>(context_);
    for (int turn = 0; turn < 10 && server->status() == Status::kWantsInput; ++turn) {
      const bool is_client_done = client.shake();
      if (is_client_done && !last_words.empty()) client.write(last_words);
      if (!server->add_input(client.give())) break;
      server->step();
      client.take(server->output());
    }
    client.shake();
    return server;
  }

  std::string opened(TlsRecords& records, std::vector<std::byte> bytes) {
    std::string text;
    std::span<std::byte> rest(bytes);
    while (!rest.empty()) {
      const TlsRecords::Opened one = records.open(rest, cipher_);
      if (one.kind == TlsRecords::Kind::kKeyUpdateWanted) is_key_update_wanted_ = true;
      if (one.consumed == 0) return text + "<bad>";
      text.append(reinterpret_cast<const char*>(one.data.data()), one.data.size());
      rest = rest.subspan(one.consumed);
    }
    return text;
  }
  std::vector<std::byte> sealed(TlsRecords& records, const std::string& text) {
    std::vector<std::byte> out(records.sealed_bytes_max(text.size()));
    out.resize(records.seal(std::as_bytes(std::span(text)), out.data(), cipher_));
    return out;
  }

  // Frames go both ways, more than once.
  void expect_talk(Client& client, TlsRecords& records) {
    for (const std::string& text :
         {std::string("ping"), std::string(40'000, 'x'), std::string("end")}) {
      client.write(text);
      EXPECT_EQ(opened(records, client.give()), text);
      client.take(sealed(records, text));
      std::string read;
      while (read.size() < text.size()) {
        const std::string part = client.read();
        ASSERT_FALSE(part.empty());
        read += part;
      }
      EXPECT_EQ(read, text);
    }
  }

  test::TlsFiles files_;
  std::shared_ptr<const TlsContext> context_;
  TlsCipher cipher_;
  bool is_key_update_wanted_ = false;
};

struct Suite {
  int version;
  const char* cipher;
};

class TlsSuiteTest : public TlsHandshakeTest, public testing::WithParamInterface<Suite> {};

TEST_P(TlsSuiteTest, OpenSslsClientAndOurRecordsUnderstandEachOther) {
  Client client(GetParam().version, GetParam().cipher);
  const auto server = shake(client);
  ASSERT_EQ(server->status(), Status::kDone) << server->failure_text();
  EXPECT_FALSE(server->facts().is_resumed);
  expect_talk(client, server->records());
}

TEST_P(TlsSuiteTest, SoTheyDoWhenASessionIsResumed) {
  Client client(GetParam().version, GetParam().cipher);
  auto first = shake(client);
  ASSERT_EQ(first->status(), Status::kDone);
  expect_talk(client, first->records());
  for (int again = 0; again < 2; ++again) {
    client.come_back();
    const auto server = shake(client);
    ASSERT_EQ(server->status(), Status::kDone) << server->failure_text();
    EXPECT_TRUE(server->facts().is_resumed);
    EXPECT_TRUE(client.is_reused());
    expect_talk(client, server->records());
  }
}

TEST_P(TlsSuiteTest, WhatFollowsFinishedAtOnceIsLeftOver) {
  Client client(GetParam().version, GetParam().cipher);
  const auto server = shake(client, "hello");
  ASSERT_EQ(server->status(), Status::kDone);
  const auto leftover = server->leftover();
  std::string text = opened(server->records(), {leftover.begin(), leftover.end()});
  // In TLS 1.2 the client is done only when the server's Finished is there.
  if (GetParam().version == TLS1_2_VERSION) text = "hello";
  EXPECT_EQ(text, "hello");
}

TEST_P(TlsSuiteTest, CloseNotifyIsUnderstoodBothWays) {
  Client client(GetParam().version, GetParam().cipher);
  const auto server = shake(client);
  ASSERT_EQ(server->status(), Status::kDone);
  std::vector<std::byte> alert(TlsRecords::kAlertRecordBytesMax);
  alert.resize(server->records().seal_alert(TlsAlert::kCloseNotify, alert.data(), cipher_));
  client.take(alert);
  EXPECT_EQ(client.read(), "");
  EXPECT_EQ(SSL_get_shutdown(client.ssl()) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
  SSL_shutdown(client.ssl());
  std::vector<std::byte> given = client.give();
  EXPECT_EQ(server->records().open(given, cipher_).kind, TlsRecords::Kind::kEnd);
}

INSTANTIATE_TEST_SUITE_P(Suites, TlsSuiteTest,
                         testing::Values(Suite{TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
                                         Suite{TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
                                         Suite{TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
                                         Suite{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
                                         Suite{TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
                                         Suite{TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"}));

TEST_F(TlsHandshakeTest, InputCutAtEveryByteComesToTheSame) {
  Client client(TLS1_3_VERSION);
  TlsHandshake server(context_);
  for (int turn = 0; turn < 10 && server.status() == Status::kWantsInput; ++turn) {
    client.shake();
    for (const std::byte byte : client.give()) {
      ASSERT_TRUE(server.add_input({&byte, 1}));
      if (!server.has_whole_record()) continue;
      server.step();
      client.take(server.output());
    }
  }
  ASSERT_EQ(server.status(), Status::kDone);
  expect_talk(client, server.records());
}

TEST_F(TlsHandshakeTest, AKeyUpdateOfTheClientIsFollowed) {
  Client client(TLS1_3_VERSION);
  const auto server = shake(client);
  ASSERT_EQ(server->status(), Status::kDone);
  TlsRecords& records = server->records();
  for (const int request : {SSL_KEY_UPDATE_NOT_REQUESTED, SSL_KEY_UPDATE_REQUESTED}) {
    is_key_update_wanted_ = false;
    ASSERT_EQ(SSL_key_update(client.ssl(), request), 1);
    client.write("after");
    EXPECT_EQ(opened(records, client.give()), "after");
    EXPECT_EQ(is_key_update_wanted_, request == SSL_KEY_UPDATE_REQUESTED);
    if (is_key_update_wanted_) {
      std::vector<std::byte> answer(TlsRecords::kKeyUpdateRecordBytes);
      records.write_key_update(answer.data(), cipher_);
      client.take(answer);
    }
    expect_talk(client, records);
  }
}

TEST_F(TlsHandshakeTest, TheLongestRecordThatAClientWantsIsKept) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Client client(version);
    SSL_set_tlsext_max_fragment_length(client.ssl(), TLSEXT_max_fragment_length_1024);
    const auto server = shake(client);
    ASSERT_EQ(server->status(), Status::kDone);
    const std::vector<std::byte> records = sealed(server->records(), std::string(3000, 'x'));
    const size_t first_bytes =
        static_cast<size_t>(records[3]) << 8 | static_cast<size_t>(records[4]);
    EXPECT_LE(first_bytes, 1024u + 24u);
    client.take(records);
    std::string read;
    while (read.size() < 3000 && !HasFailure()) {
      const std::string part = client.read();
      ASSERT_FALSE(part.empty());
      read += part;
    }
    expect_talk(client, server->records());
  }
}

TEST_F(TlsHandshakeTest, FailuresAreTold) {
  struct Case {
    int version;
    const char* cipher;
    TlsFailure failure;
  };
  for (const Case& one : {Case{TLS1_2_VERSION, "AES128-GCM-SHA256", TlsFailure::kCipher},
                          Case{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM", TlsFailure::kCipher},
                          Case{TLS1_3_VERSION, "TLS_AES_128_CCM_SHA256", TlsFailure::kCipher}}) {
    Client client(one.version, one.cipher);
    const auto server = shake(client);
    EXPECT_EQ(server->status(), Status::kFailed);
    EXPECT_EQ(server->failure(), one.failure) << server->failure_text();
    EXPECT_FALSE(server->output().empty()) << "the client is to be told";
  }
}

TEST_F(TlsHandshakeTest, GarbageIsAProtocolError) {
  TlsHandshake server(context_);
  const std::vector<std::byte> garbage = {std::byte{22}, std::byte{3}, std::byte{1},
                                          std::byte{0},  std::byte{4}, std::byte{99},
                                          std::byte{0},  std::byte{0}, std::byte{0}};
  ASSERT_TRUE(server.add_input(garbage));
  EXPECT_EQ(server.step(), Status::kFailed);
  EXPECT_EQ(server.failure(), TlsFailure::kProtocolError);
}

TEST_F(TlsHandshakeTest, ARecordLongerThanAllowedIsRefusedByItsHeader) {
  TlsHandshake server(context_);
  const std::vector<std::byte> header = {std::byte{22}, std::byte{3}, std::byte{1}, std::byte{0x41},
                                         std::byte{1}};
  EXPECT_FALSE(server.add_input(header));
}

TEST_F(TlsHandshakeTest, EndlessSmallRecordsComeToAnEnd) {
  TlsHandshake server(context_);
  // A ClientHello that announces 16,000 bytes and comes byte by byte, each in a record.
  std::vector<std::byte> record = {std::byte{22}, std::byte{3}, std::byte{1},
                                   std::byte{0},  std::byte{1}, std::byte{1}};
  int steps = 0;
  while (server.status() == Status::kWantsInput && steps < 1000) {
    ASSERT_TRUE(server.add_input(record));
    server.step();
    record.back() = std::byte{static_cast<uint8_t>(++steps == 2 ? 0x3E : 0)};
  }
  EXPECT_EQ(server.status(), Status::kFailed);
  EXPECT_LE(steps, 65);
}

}  // namespace
}  // namespace holdfast
