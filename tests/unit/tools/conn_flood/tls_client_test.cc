#include "tools/conn_flood/tls_client.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <optional>
#include <string>
#include <vector>

#include "common/unique_fd.h"
#include "tests/unit/tools/conn_flood/tls_server.h"

namespace holdfast::flood {
namespace {

const Address kTarget = Address::parse("127.0.0.1:7000").value();
constexpr std::string_view kDevice = "device-1";

// A client's and a server's end of one connection.
class Pair final {
 public:
  Pair(const TlsClientContext& client, const TlsServerContext& server, TlsTicket ticket = {},
       const Address& target = kTarget) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends.data()), 0);
    client_end_.reset(ends[0]);
    server_end_.reset(ends[1]);
    link_.emplace(client, client_end_.get());
    server_.emplace(server, server_end_.get());
    EXPECT_TRUE(link_->prepare(target, kDevice, std::move(ticket)));
  }

  // Until the client's side says something else than that it waits.
  IoStatus shake_hands() {
    IoStatus status = IoStatus::kBlocked;
    for (int turn = 0; turn < 10 && status == IoStatus::kBlocked; ++turn) {
      status = link_->shake_hands();
      server_->accept();
    }
    EXPECT_EQ(ERR_peek_error(), 0u);
    return status;
  }

  // What the client reads next; "" when that is nothing.
  std::string read() {
    std::array<std::byte, 4096> bytes;
    last_ = link_->read(bytes);
    EXPECT_EQ(ERR_peek_error(), 0u);
    return {reinterpret_cast<const char*>(bytes.data()), last_.bytes};
  }

  IoStatus last_status() const { return last_.status; }
  TlsLink& link() { return *link_; }
  SSL* server() { return server_->get(); }
  int server_end() const { return server_end_.get(); }
  void close_server() { server_end_.reset(); }

 private:
  UniqueFd client_end_;
  UniqueFd server_end_;
  std::optional<TlsLink> link_;
  std::optional<TlsServer> server_;
  IoResult last_;
};

class TlsLinkTest : public testing::Test {
 protected:
  TlsLinkTest() {
    std::signal(SIGPIPE, SIG_IGN);  // as conn_flood does
    folder_.make("server");
    folder_.make("other");
    folder_.make("device-1");
  }

  std::unique_ptr<TlsClientContext> client() {
    auto made = TlsClientContext::create(options_, kDevice);
    EXPECT_TRUE(made.is_ok()) << made.status().message();
    return std::move(made.value());
  }

  void present(const std::string& name) {
    options_.cert_file = folder_.file(name + ".pem");
    options_.key_file = folder_.file(name + ".key");
  }

  CertificateFolder folder_;
  TlsOptions options_;
};

TEST(FileOfDevice, ReplacesEveryMark) {
  EXPECT_EQ(file_of_device("a/{id}/{id}.pem", "flood-1"), "a/flood-1/flood-1.pem");
  EXPECT_EQ(file_of_device("{id}", "{id}{id}"), "{id}{id}");
  EXPECT_EQ(file_of_device("same.pem", "flood-1"), "same.pem");
}

TEST_F(TlsLinkTest, BytesComeThroughInEitherVersion) {
  const TlsServerContext server(folder_, "server");
  for (const TlsVersion version : {TlsVersion::k12, TlsVersion::k13}) {
    options_.version = version;
    const auto context = client();
    Pair pair(*context, server);
    ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
    EXPECT_EQ(pair.link().version(), version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    EXPECT_FALSE(pair.link().is_resumed());
    EXPECT_EQ(pair.read(), "");
    EXPECT_EQ(pair.last_status(), IoStatus::kBlocked);
    ASSERT_EQ(SSL_write(pair.server(), "hello", 5), 5);
    EXPECT_EQ(pair.read(), "hello");
    const std::array<std::byte, 3> answer{};
    EXPECT_EQ(pair.link().write(answer).bytes, 3u);
    std::array<char, 8> got{};
    EXPECT_EQ(SSL_read(pair.server(), got.data(), got.size()), 3);
  }
}

TEST_F(TlsLinkTest, AsksForTheProtocolAndTheName) {
  const TlsServerContext server(folder_, "server");
  options_.server_name = "localhost";
  options_.version = TlsVersion::k12;  // where the server keeps the name that it was asked for
  std::string asked;
  SSL_CTX_set_alpn_select_cb(
      server.get(),
      [](SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in,
         unsigned int in_bytes, void* seen) {
        static_cast<std::string*>(seen)->assign(reinterpret_cast<const char*>(in), in_bytes);
        *out = in + 1;
        *out_bytes = in[0];
        return SSL_TLSEXT_ERR_OK;
      },
      &asked);
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
  EXPECT_EQ(asked, "\x0aholdfast/1");
  EXPECT_STREQ(SSL_get_servername(pair.server(), TLSEXT_NAMETYPE_host_name), "localhost");
}

TEST_F(TlsLinkTest, AnAddressIsNoName) {
  const TlsServerContext server(folder_, "server");
  options_.server_name = "127.0.0.1";
  options_.ca_file = folder_.file("server.pem");
  const auto context = client();
  Pair pair(*context, server, {}, Address::parse("127.0.0.2:7000").value());
  ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
  EXPECT_EQ(SSL_get_servername(pair.server(), TLSEXT_NAMETYPE_host_name), nullptr);
}

TEST_F(TlsLinkTest, VerifiesTheTargetsAddress) {
  const TlsServerContext server(folder_, "server");
  options_.ca_file = folder_.file("server.pem");
  const auto context = client();
  EXPECT_EQ(Pair(*context, server).shake_hands(), IoStatus::kDone);

  Pair elsewhere(*context, server, {}, Address::parse("127.0.0.2:7000").value());
  ASSERT_EQ(elsewhere.shake_hands(), IoStatus::kTlsFailed);
  EXPECT_EQ(elsewhere.link().failure().kind, TlsFailureKind::kCertificateRefused);
  EXPECT_EQ(elsewhere.link().failure().code, uint32_t{X509_V_ERR_IP_ADDRESS_MISMATCH});
}

TEST_F(TlsLinkTest, VerifiesTheNameInsteadWhenThereIsOne) {
  const TlsServerContext server(folder_, "server");
  options_.ca_file = folder_.file("server.pem");
  options_.server_name = "localhost";
  EXPECT_EQ(Pair(*client(), server).shake_hands(), IoStatus::kDone);

  options_.server_name = "elsewhere.test";
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kTlsFailed);
  EXPECT_EQ(pair.link().failure().code, uint32_t{X509_V_ERR_HOSTNAME_MISMATCH});
}

TEST_F(TlsLinkTest, RefusesAnIssuerThatIsNotInTheFile) {
  const TlsServerContext server(folder_, "server");
  options_.ca_file = folder_.file("other.pem");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kTlsFailed);
  EXPECT_EQ(pair.link().failure().kind, TlsFailureKind::kCertificateRefused);
  EXPECT_EQ(pair.link().failure().code, uint32_t{X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT});
}

TEST_F(TlsLinkTest, AlertsKeepTheirNumber) {
  const TlsServerContext server(folder_, "server");
  SSL_CTX_set_min_proto_version(server.get(), TLS1_3_VERSION);
  options_.version = TlsVersion::k12;
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kTlsFailed);
  EXPECT_EQ(pair.link().failure().kind, TlsFailureKind::kAlert);
  EXPECT_EQ(pair.link().failure().code, 70u);
}

TEST_F(TlsLinkTest, AMissingCertificateIsToldWithinTheHandshakeOrBehindIt) {
  const TlsServerContext server(folder_, "server", "device-1.pem");
  options_.version = TlsVersion::k12;
  const auto older = client();
  Pair within(*older, server);
  EXPECT_EQ(within.shake_hands(), IoStatus::kTlsFailed);
  EXPECT_EQ(within.link().failure().code, 40u);

  options_.version = TlsVersion::k13;
  const auto newer = client();
  Pair behind(*newer, server);
  EXPECT_EQ(behind.shake_hands(), IoStatus::kDone);
  behind.read();
  EXPECT_EQ(behind.last_status(), IoStatus::kTlsFailed);
  EXPECT_EQ(behind.link().failure().kind, TlsFailureKind::kAlert);
  EXPECT_EQ(behind.link().failure().code, 116u);
}

TEST_F(TlsLinkTest, PresentsTheCertificateOfAllOrOfTheDevice) {
  const TlsServerContext server(folder_, "server", "device-1.pem");
  options_.version = TlsVersion::k12;  // where the handshake's end says that it was accepted
  for (const char* name : {"device-1", "{id}"}) {
    present(name);
    EXPECT_EQ(Pair(*client(), server).shake_hands(), IoStatus::kDone) << name;
  }
}

TEST_F(TlsLinkTest, ADeviceWithoutFilesIsAFailureOfItsOwn) {
  present("{id}");
  const auto context = client();
  TlsLink link(*context, -1);
  EXPECT_FALSE(link.prepare(kTarget, "device-2", {}));
  EXPECT_EQ(link.failure().kind, TlsFailureKind::kOwnFiles);
  EXPECT_NE(explain(link.failure()).find("No such file"), std::string::npos);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(TlsLinkTest, ATicketResumesInEitherVersion) {
  const TlsServerContext server(folder_, "server");
  options_.resumes = true;
  for (const TlsVersion version : {TlsVersion::k12, TlsVersion::k13}) {
    options_.version = version;
    const auto context = client();
    TlsTicket ticket;
    for (int visit = 0; visit < 4; ++visit) {
      Pair pair(*context, server, std::move(ticket));
      ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
      EXPECT_EQ(pair.link().has_offered_ticket(), visit > 0);
      EXPECT_EQ(pair.link().is_resumed(), visit > 0) << visit;
      pair.read();  // in TLS 1.3 it comes behind the handshake
      ticket = pair.link().take_ticket();
      ASSERT_NE(ticket, nullptr);
    }
  }
}

TEST_F(TlsLinkTest, ATicketOutlivesAServerThatDies) {
  const TlsServerContext server(folder_, "server");
  options_.resumes = true;
  const auto context = client();
  TlsTicket ticket;
  {
    Pair pair(*context, server);
    ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
    pair.close_server();
    pair.read();
    EXPECT_EQ(pair.last_status(), IoStatus::kEof);
    ticket = pair.link().take_ticket();
  }
  Pair again(*context, server, std::move(ticket));
  EXPECT_EQ(again.shake_hands(), IoStatus::kDone);
  EXPECT_TRUE(again.link().is_resumed());
}

TEST_F(TlsLinkTest, WithoutResumeThereIsNoTicket) {
  const TlsServerContext server(folder_, "server");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
  pair.read();
  EXPECT_EQ(pair.link().take_ticket(), nullptr);
}

TEST_F(TlsLinkTest, AServerThatSpeaksNoTlsIsAProtocolError) {
  const TlsServerContext server(folder_, "server");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.link().shake_hands(), IoStatus::kBlocked);
  constexpr std::string_view kPlain = "SSH-2.0-OpenSSH_9.2\r\n";
  ASSERT_GT(::send(pair.server_end(), kPlain.data(), kPlain.size(), 0), 0);
  EXPECT_EQ(pair.link().shake_hands(), IoStatus::kTlsFailed);
  EXPECT_EQ(pair.link().failure().kind, TlsFailureKind::kProtocolError);
  EXPECT_NE(explain(pair.link().failure()).find("speak TLS"), std::string::npos);
}

TEST_F(TlsLinkTest, ACloseWithinTheHandshakeIsAnEnd) {
  const TlsServerContext server(folder_, "server");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.link().shake_hands(), IoStatus::kBlocked);
  ::shutdown(pair.server_end(), SHUT_WR);
  EXPECT_EQ(pair.link().shake_hands(), IoStatus::kEof);
}

TEST_F(TlsLinkTest, CloseNotifyIsAnEndBothWays) {
  const TlsServerContext server(folder_, "server");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
  SSL_shutdown(pair.server());
  pair.read();
  EXPECT_EQ(pair.last_status(), IoStatus::kEof);
  pair.link().say_close();
  char byte = 0;
  EXPECT_EQ(SSL_get_error(pair.server(), SSL_read(pair.server(), &byte, 1)), SSL_ERROR_ZERO_RETURN);
}

TEST_F(TlsLinkTest, ABlockedWriteGoesOnWithTheSameBytes) {
  const TlsServerContext server(folder_, "server");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
  constexpr size_t kBytes = size_t{4} << 20;
  std::vector<std::byte> sent(kBytes);
  for (size_t i = 0; i < kBytes; ++i) sent[i] = static_cast<std::byte>(i * 7 + i / 251);

  std::vector<std::byte> got;
  std::array<std::byte, 16384> some;
  size_t done = 0;
  size_t blocked = 0;
  while (got.size() < kBytes) {
    if (done < kBytes) {
      // Another place in memory each time, as a buffer that grows has.
      const std::vector<std::byte> rest(sent.begin() + static_cast<ptrdiff_t>(done), sent.end());
      const IoResult result = pair.link().write(rest);
      ASSERT_TRUE(result.status == IoStatus::kDone || result.status == IoStatus::kBlocked);
      done += result.bytes;
      if (result.status == IoStatus::kDone) continue;
      ++blocked;
    }
    const int count = SSL_read(pair.server(), some.data(), some.size());
    ASSERT_GT(count, 0);
    got.insert(got.end(), some.begin(), some.begin() + count);
  }
  EXPECT_GT(blocked, 0u);
  EXPECT_EQ(got, sent);
}

TEST_F(TlsLinkTest, AResetIsNoCrash) {
  const TlsServerContext server(folder_, "server");
  const auto context = client();
  Pair pair(*context, server);
  ASSERT_EQ(pair.shake_hands(), IoStatus::kDone);
  pair.close_server();
  const std::array<std::byte, 16> bytes{};
  EXPECT_EQ(pair.link().write(bytes).status, IoStatus::kReset);  // EPIPE
  pair.link().say_close();
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST_F(TlsLinkTest, FilesThatCannotBeLoadedAreNamed) {
  const auto error = [this] {
    const auto made = TlsClientContext::create(options_, kDevice);
    return made.is_ok() ? "no error" : made.status().message();
  };
  options_.ca_file = "/nonexistent/ca.pem";
  EXPECT_EQ(error(), "--ca: cannot load /nonexistent/ca.pem: No such file or directory");
  options_.ca_file = folder_.file("server.key");
  EXPECT_EQ(error().substr(0, 18), "--ca: cannot load ");
  options_.ca_file.clear();
  present("{id}-missing");
  EXPECT_EQ(error(), "--cert: cannot load " + folder_.file("device-1-missing.pem") +
                         ": No such file or directory");
  present("device-1");
  options_.key_file = folder_.file("other.key");
  EXPECT_EQ(error(), "--key: cannot load " + folder_.file("other.key") + ": key values mismatch");
}

}  // namespace
}  // namespace holdfast::flood
