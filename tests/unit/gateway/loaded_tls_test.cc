#include "gateway/loaded_tls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/net/certificate_dates.h"
#include "tests/unit/gateway/options_fixture.h"
#include "tests/unit/support/certificates.h"
#include "tests/unit/support/tls_pair.h"

namespace holdfast {
namespace {

using test::Identity;
using test::make_identity;
using test::TlsPair;

class LoadedTlsTest : public OptionsFixture {
 protected:
  // Writes NAME.pem and NAME.key.
  void write_identity(const std::string& name) const {
    const Identity identity = make_identity({.common_name = name});
    write(name + ".pem", identity.pem());
    write(name + ".key", identity.key_pem());
  }
  // Paths in `text` begin with @.
  Options options_of(std::string text) const {
    for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@')) {
      text.replace(at, 1, folder_.string() + "/");
    }
    return loaded(text);
  }
  LoadedTls load(const Options& options, std::shared_ptr<TicketKeys> keys = nullptr) const {
    Result<LoadedTls> tls = load_tls(options, std::move(keys));
    EXPECT_TRUE(tls.is_ok()) << tls.status().message();
    return tls.is_ok() ? std::move(tls.value()) : LoadedTls{};
  }
};

TEST_F(LoadedTlsTest, WithoutCertificatesEveryListenerIsPlain) {
  const LoadedTls tls = load(options_of("[[listener]]\n[[listener]]\nbind = \"127.0.0.1:1\"\n"));
  ASSERT_EQ(tls.listeners.size(), 2U);
  EXPECT_EQ(tls.listeners[0].context, nullptr);
  EXPECT_EQ(tls.listeners[1].context, nullptr);
  EXPECT_TRUE(tls.certificates.empty());
}

TEST_F(LoadedTlsTest, ListenersOfOnePolicyShareAContext) {
  write_identity("a");
  write_identity("b");
  const LoadedTls tls = load(options_of(R"(
tls.cert_file = "@a.pem"
tls.key_file = "@a.key"
[[listener]]
bind = "127.0.0.1:1"
tls = true
[[listener]]
bind = "127.0.0.1:2"
[[listener]]
bind = "127.0.0.1:3"
cert_file = "@b.pem"
key_file = "@b.key"
)"));
  ASSERT_EQ(tls.listeners.size(), 3U);
  EXPECT_EQ(tls.listeners[0].context, tls.listeners[1].context);
  EXPECT_NE(tls.listeners[0].context, tls.listeners[2].context);
  EXPECT_TRUE(tls.listeners[0].is_required);
  EXPECT_FALSE(tls.listeners[1].is_required);
  ASSERT_EQ(tls.certificates.size(), 2U);
  EXPECT_EQ(tls.certificates[0].names, "a");
  EXPECT_EQ(tls.certificates[1].names, "b");
}

TEST_F(LoadedTlsTest, AFileThatCannotBeUsedIsTheError) {
  write_identity("a");
  const Options options = options_of("tls.cert_file = \"@a.pem\"\ntls.key_file = \"@none\"\n");
  const Result<LoadedTls> tls = load_tls(options, nullptr);
  ASSERT_FALSE(tls.is_ok());
  EXPECT_EQ(shortened(tls.status().message()), "cannot open none: No such file or directory");
}

TEST_F(LoadedTlsTest, ATicketKeyFileIsReadEvenWithoutCertificates) {
  write("t", "short");
  const Result<LoadedTls> tls = load_tls(options_of("tls.ticket_key_file = \"@t\"\n"), nullptr);
  ASSERT_FALSE(tls.is_ok());
  EXPECT_TRUE(shortened(tls.status().message()).starts_with("t has 5 bytes: "));
}

// A reload must not cost every device a full handshake.
TEST_F(LoadedTlsTest, TicketsOutliveAReload) {
  write_identity("a");
  const Options options = options_of("tls.cert_file = \"@a.pem\"\ntls.key_file = \"@a.key\"\n");
  const LoadedTls before = load(options);
  const TlsPair first(before.listeners[0].context->native(), {});
  const auto session = first.session();
  const LoadedTls after = load(options, before.own_ticket_keys);
  EXPECT_TRUE(
      TlsPair(after.listeners[0].context->native(), {.session = session.get()}).is_resumed());
  const LoadedTls restarted = load(options);
  EXPECT_FALSE(
      TlsPair(restarted.listeners[0].context->native(), {.session = session.get()}).is_resumed());
}

TEST_F(LoadedTlsTest, NodesWithOneTicketKeyFileTakeEachOthersTickets) {
  write_identity("a");
  write("t", std::string(80, 'k'));
  const Options options = options_of(
      "tls.cert_file = \"@a.pem\"\ntls.key_file = \"@a.key\"\ntls.ticket_key_file = \"@t\"\n");
  const LoadedTls one = load(options);
  const LoadedTls other = load(options);
  const auto session = TlsPair(one.listeners[0].context->native(), {}).session();
  EXPECT_TRUE(
      TlsPair(other.listeners[0].context->native(), {.session = session.get()}).is_resumed());
}

TEST_F(LoadedTlsTest, CertificatesNearTheirEndAreLogged) {
  const std::vector<TlsCertificateInfo> certificates = {{"soon.pem", "a", 1000 + 13 * 86'400},
                                                        {"later.pem", "b", 1000 + 15 * 86'400}};
  testing::internal::CaptureStderr();
  warn_of_expiry(certificates, 1000);
  const std::string logged = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(contains(logged, "soon.pem")) << logged;
  EXPECT_TRUE(contains(logged, "days_left=13")) << logged;
  EXPECT_FALSE(contains(logged, "later.pem")) << logged;
}

}  // namespace
}  // namespace holdfast
