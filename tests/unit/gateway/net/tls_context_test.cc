#include "gateway/net/tls_context.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/net/certificate_dates.h"
#include "tests/unit/support/certificates.h"
#include "tests/unit/support/temporary_folder.h"
#include "tests/unit/support/tls_pair.h"

namespace holdfast {
namespace {

using std::filesystem::path;
using test::ClientWish;
using test::Identity;
using test::KeyKind;
using test::make_authority;
using test::make_identity;
using test::SessionHandle;
using test::TlsPair;
using Context = std::shared_ptr<const TlsContext>;

class TlsContextTest : public test::TemporaryFolder {
 protected:
  static void SetUpTestSuite() {
    ca_ = new Identity(make_authority("ca"));
    server_ = new Identity(make_identity({.common_name = "a"}, ca_));
    device_ = new Identity(make_identity({.common_name = "d1", .usage = "clientAuth"}, ca_));
  }
  static void TearDownTestSuite() {
    delete std::exchange(device_, nullptr);
    delete std::exchange(server_, nullptr);
    delete std::exchange(ca_, nullptr);
  }

  // Writes NAME.pem and NAME.key.
  TlsCertificateFiles files_of(const Identity& identity, const std::string& name) const {
    return {
        write(name + ".pem", identity.pem(), 0644), write(name + ".key", identity.key_pem()), {}};
  }
  TlsContextSettings plain_settings() const {
    TlsContextSettings settings;
    settings.certificates = {files_of(*server_, "server")};
    return settings;
  }
  TlsContextSettings mutual_settings(TlsClientAuth client_auth) const {
    TlsContextSettings settings = plain_settings();
    settings.client_ca = write("ca.pem", ca_->pem(), 0644);
    settings.client_auth = client_auth;
    return settings;
  }
  Context load(const TlsContextSettings& settings) const {
    Result<Context> context = TlsContext::load(settings, ticket_keys_);
    EXPECT_TRUE(context.is_ok()) << context.status().message();
    return context.is_ok() ? context.value() : nullptr;
  }
  std::string error_of(const TlsContextSettings& settings) const {
    const Result<Context> context = TlsContext::load(settings, ticket_keys_);
    EXPECT_EQ(ERR_peek_error(), 0U) << "left in OpenSSL's queue";
    return context.is_ok() ? "no error" : shortened(context.status().message());
  }
  // The error of a listener with these two files' texts.
  std::string error_of(const std::string& pem, const std::string& key_pem) const {
    TlsContextSettings settings;
    settings.certificates = {{write("c.pem", pem, 0644), write("c.key", key_pem), {}}};
    return error_of(settings);
  }
  std::string error_of(const Identity& identity) const {
    return error_of(identity.pem(), identity.key_pem());
  }

  static Identity* ca_;
  static Identity* server_;
  static Identity* device_;
  std::shared_ptr<TicketKeys> ticket_keys_ = TicketKeys::make().value();
};

Identity* TlsContextTest::ca_ = nullptr;
Identity* TlsContextTest::server_ = nullptr;
Identity* TlsContextTest::device_ = nullptr;

// Files.

TEST_F(TlsContextTest, AKeyThatOthersMayReadIsRefusedWithTheMend) {
  TlsContextSettings settings = plain_settings();
  settings.certificates[0].key = write("open.key", server_->key_pem(), 0640);
  EXPECT_EQ(error_of(settings),
            "open.key has mode 0640, open to others than its owner: chmod 600 open.key");
}

TEST_F(TlsContextTest, MissingFilesAreNamed) {
  TlsContextSettings settings = plain_settings();
  settings.certificates[0].cert = folder_ / "none.pem";
  EXPECT_EQ(error_of(settings), "cannot open none.pem: No such file or directory");
  settings = plain_settings();
  settings.certificates[0].key = folder_ / "none.key";
  EXPECT_EQ(error_of(settings), "cannot open none.key: No such file or directory");
}

TEST_F(TlsContextTest, AFileWithoutACertificateIsRefused) {
  const std::string error =
      "c.pem holds no certificate: name a PEM file with a part that begins with "
      "-----BEGIN CERTIFICATE-----";
  EXPECT_EQ(error_of("", server_->key_pem()), error);
  EXPECT_EQ(error_of("hello\n", server_->key_pem()), error);
  EXPECT_EQ(error_of(server_->key_pem(), server_->key_pem()), error);
}

TEST_F(TlsContextTest, ACertificateThatIsCutOffIsRefused) {
  const std::string pem = server_->pem();
  const std::string error = "c.pem holds a certificate that cannot be read: copy it again, whole";
  EXPECT_EQ(error_of(pem.substr(0, pem.size() / 2), server_->key_pem()), error);
  EXPECT_EQ(error_of(pem + pem.substr(0, pem.size() / 2), server_->key_pem()), error);
  std::string garbled = pem;
  std::reverse(garbled.begin() + 40, garbled.begin() + 80);
  EXPECT_EQ(error_of(garbled, server_->key_pem()), error);
}

TEST_F(TlsContextTest, AnEncryptedKeyIsRefusedAndNobodyIsAsked) {
  EXPECT_EQ(error_of(server_->pem(), server_->encrypted_key_pem()),
            "c.key is encrypted, and nobody is there to give its password: decrypt it with "
            "`openssl pkey -in OLD -out NEW`");
}

TEST_F(TlsContextTest, AFileWithoutAKeyIsRefused) {
  const std::string error = "c.key holds no private key that can be read: name a PEM file with one";
  EXPECT_EQ(error_of(server_->pem(), ""), error);
  EXPECT_EQ(error_of(server_->pem(), server_->pem()), error);
}

TEST_F(TlsContextTest, KeyAndCertificateInOneFileAreTaken) {
  TlsContextSettings settings;
  const path both = write("both.pem", server_->pem() + server_->key_pem());
  settings.certificates = {{both, both, {}}};
  EXPECT_EQ(error_of(settings), "no error");
}

TEST_F(TlsContextTest, AKeyOfAnotherCertificateIsRefused) {
  EXPECT_EQ(error_of(server_->pem(), device_->key_pem()),
            "c.key is not the key of the certificate in c.pem: name the two that belong together");
}

TEST_F(TlsContextTest, WeakAndUnusableKeysAreRefused) {
  const std::string mend = ": make one of P-256, or RSA of 2048 bits or more";
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .key = KeyKind::kRsa1024})),
            "c.key has an RSA key of 1024 bits" + mend);
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .key = KeyKind::kSecp256k1})),
            "c.key has a key on a curve that TLS does not use" + mend);
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .key = KeyKind::kEd25519})), "no error");
}

TEST_F(TlsContextTest, ACertificateOutOfItsDatesIsRefused) {
  const Identity expired = make_identity({.common_name = "a", .from_s = -7200, .to_s = -3600});
  const std::string error = error_of(expired);
  EXPECT_TRUE(error.starts_with("the certificate in c.pem expired on 20")) << error;
  EXPECT_TRUE(error.ends_with(" UTC: renew it")) << error;
  const Identity early = make_identity({.common_name = "a", .from_s = 3600});
  const std::string not_yet = error_of(early);
  EXPECT_TRUE(not_yet.starts_with("the certificate in c.pem is not valid before 20")) << not_yet;
  EXPECT_TRUE(not_yet.ends_with(" UTC: check this machine's clock, or wait")) << not_yet;
}

TEST_F(TlsContextTest, ACertificateOfADeviceIsNoServers) {
  EXPECT_EQ(error_of(*device_),
            "c.pem holds a certificate that is not for servers (its extended key usage says so): "
            "have one made for a server");
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .usage = nullptr})), "no error");
}

TEST_F(TlsContextTest, AChainBeginsWithTheLeafAndFollowsItsIssuers) {
  const Identity middle = make_identity({.common_name = "middle", .is_authority = true}, ca_);
  const Identity leaf = make_identity({.common_name = "leaf"}, &middle);
  EXPECT_EQ(error_of(leaf.pem() + middle.pem() + ca_->pem(), leaf.key_pem()), "no error");
  EXPECT_EQ(error_of(middle.pem() + leaf.pem(), leaf.key_pem()),
            "c.pem is out of order: the certificate of c.key must come first");
  EXPECT_EQ(error_of(leaf.pem() + ca_->pem(), leaf.key_pem()),
            "c.pem is out of order: the server's certificate comes first, then the one that signed "
            "it, and so on");
  const Identity old = make_identity(
      {.common_name = "old", .is_authority = true, .from_s = -7200, .to_s = -3600}, ca_);
  const Identity below = make_identity({.common_name = "below"}, &old);
  const std::string error = error_of(below.pem() + old.pem(), below.key_pem());
  EXPECT_TRUE(error.starts_with("an intermediate certificate in c.pem expired on ")) << error;
}

TEST_F(TlsContextTest, TheChainOfTheFileIsSentAndNothingMore) {
  const Identity middle = make_identity({.common_name = "middle", .is_authority = true}, ca_);
  const Identity leaf = make_identity({.common_name = "leaf"}, &middle);
  TlsContextSettings settings = mutual_settings(TlsClientAuth::kOptional);
  settings.certificates = {files_of(leaf, "leaf")};
  const TlsPair alone(load(settings)->native(), {});
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(alone.client())), 1);
  settings.certificates[0].cert = write("chain.pem", leaf.pem() + middle.pem());
  const TlsPair chained(load(settings)->native(), {});
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(chained.client())), 2);
}

TEST_F(TlsContextTest, AnAuthorityThatCannotBeReadIsRefused) {
  TlsContextSettings settings = mutual_settings(TlsClientAuth::kRequired);
  settings.client_ca = folder_ / "none.pem";
  EXPECT_EQ(error_of(settings), "cannot open none.pem: No such file or directory");
  settings.client_ca = write("ca.pem", "");
  EXPECT_TRUE(error_of(settings).starts_with("ca.pem holds no certificate: "))
      << error_of(settings);
  settings.client_ca = write("ca.pem", device_->pem());
  EXPECT_EQ(error_of(settings),
            "ca.pem holds a certificate that is not an authority's: name the file of the CA that "
            "signs devices' certificates");
}

TEST_F(TlsContextTest, CertificatesAreListedWithTheirNamesAndDates) {
  const Identity named = make_identity(
      {.common_name = "cn", .alt_names = {"DNS:B.example", "DNS:a.example", "IP:127.0.0.1"}});
  TlsContextSettings settings = plain_settings();
  settings.certificates.push_back(files_of(named, "named"));
  const auto& listed = load(settings)->certificates();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(shortened(listed[0].file), "server.pem");
  EXPECT_EQ(listed[0].names, "a");
  EXPECT_EQ(shortened(listed[1].file), "named.pem");
  EXPECT_EQ(listed[1].names, "a.example,b.example");
  EXPECT_NEAR(static_cast<double>(listed[1].expires_s - wall_clock_s()), 90 * 86'400, 60);
}

// Certificates by name.

TEST_F(TlsContextTest, SniChoosesTheCertificate) {
  TlsContextSettings settings = plain_settings();
  settings.certificates.push_back(
      files_of(make_identity({.common_name = "b", .alt_names = {"DNS:b.example"}}), "b"));
  settings.certificates.push_back(
      files_of(make_identity({.common_name = "w", .alt_names = {"DNS:*.example"}}), "w"));
  settings.certificates.push_back(files_of(make_identity({.common_name = "C.example.net"}), "c"));
  const Context context = load(settings);
  const auto answer = [&](const char* name) {
    return TlsPair(context->native(), {.server_name = name}).server_common_name();
  };
  EXPECT_EQ(answer(""), "a");
  EXPECT_EQ(answer("unknown.net"), "a");
  EXPECT_EQ(answer("b.example"), "b");
  EXPECT_EQ(answer("B.EXAMPLE"), "b");
  EXPECT_EQ(answer("x.example"), "w");
  EXPECT_EQ(answer("X.Example"), "w");
  EXPECT_EQ(answer("x.y.example"), "a") << "a wildcard stands for one label";
  EXPECT_EQ(answer("example"), "a");
  EXPECT_EQ(answer(".example"), "a");
  EXPECT_EQ(answer("c.example.net"), "C.example.net");
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const TlsPair pair(context->native(), {.server_name = "b.example", .version = version});
    EXPECT_TRUE(pair.is_done());
    EXPECT_EQ(pair.server_common_name(), "b");
  }
}

// The names of the subject count only where there are no alternative ones (RFC 6125, 6.4.4).
TEST_F(TlsContextTest, ACommonNameBesideAlternativeOnesIsNotServed) {
  TlsContextSettings settings = plain_settings();
  settings.certificates.push_back(
      files_of(make_identity({.common_name = "b", .alt_names = {"DNS:b.example"}}), "b"));
  EXPECT_EQ(TlsPair(load(settings)->native(), {.server_name = "b"}).server_common_name(), "a");
}

TEST_F(TlsContextTest, ANamesakeWithAnotherKindOfKeyIsForClientsOfThatKind) {
  TlsContextSettings settings;
  settings.certificates = {
      files_of(make_identity({.common_name = "ec", .alt_names = {"DNS:n", "DNS:m"}}), "ec"),
      files_of(
          make_identity(
              {.common_name = "rsa", .alt_names = {"DNS:m", "DNS:n"}, .key = KeyKind::kRsa2048}),
          "rsa")};
  const Context context = load(settings);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const auto answer = [&](const char* signatures) {
      return TlsPair(context->native(),
                     {.server_name = "n", .version = version, .signatures = signatures})
          .server_common_name();
    };
    EXPECT_EQ(answer("RSA-PSS+SHA256:RSA+SHA256"), "rsa");
    EXPECT_EQ(answer("ECDSA+SHA256"), "ec");
    EXPECT_EQ(answer(nullptr), "ec") << "cheaper to sign with";
  }
}

TEST_F(TlsContextTest, ACertificateThatWouldNeverBeUsedIsRefused) {
  TlsContextSettings settings = plain_settings();
  settings.certificates.push_back(files_of(make_identity({.common_name = "A"}), "again"));
  EXPECT_EQ(
      error_of(settings),
      "again.pem has the names and the kind of key of an earlier certificate, and would never "
      "be used: leave one of the two out");
  settings = plain_settings();
  settings.certificates.push_back(files_of(make_identity({}), "nameless"));
  EXPECT_EQ(error_of(settings),
            "nameless.pem is made out to no name: only the first certificate can do without");
  std::swap(settings.certificates[0], settings.certificates[1]);
  EXPECT_EQ(error_of(settings), "no error");
}

// What is agreed on.

TEST_F(TlsContextTest, OnlyTls12And13AreSpoken) {
  const Context context = load(plain_settings());
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    const TlsPair pair(context->native(), {.version = version});
    EXPECT_FALSE(pair.is_done());
    EXPECT_EQ(pair.server_failure(), SSL_R_UNSUPPORTED_PROTOCOL);
  }
  EXPECT_TRUE(TlsPair(context->native(), {.version = TLS1_2_VERSION}).is_done());
  EXPECT_TRUE(TlsPair(context->native(), {.version = TLS1_3_VERSION}).is_done());
}

TEST_F(TlsContextTest, CiphersAreThoseOfTheRecordLayer) {
  const Context context = load(plain_settings());
  const auto tls12 = [&](const char* offered) {
    const TlsPair pair(context->native(), {.version = TLS1_2_VERSION, .tls12_ciphers = offered});
    return pair.is_done() ? pair.cipher() : "none";
  };
  EXPECT_EQ(tls12("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"),
            "ECDHE-ECDSA-AES128-GCM-SHA256");
  EXPECT_EQ(tls12("ECDHE-ECDSA-AES256-GCM-SHA384"), "ECDHE-ECDSA-AES256-GCM-SHA384");
  EXPECT_EQ(tls12("ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"),
            "ECDHE-ECDSA-CHACHA20-POLY1305");
  EXPECT_EQ(tls12("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"),
            "ECDHE-ECDSA-AES128-GCM-SHA256");
  for (const char* refused : {"ECDHE-ECDSA-AES128-CCM", "ECDHE-ECDSA-AES128-SHA256",
                              "ECDHE-ECDSA-AES128-SHA", "DHE-RSA-AES128-GCM-SHA256"}) {
    EXPECT_EQ(tls12(refused), "none") << refused;
  }
  const auto tls13 = [&](const char* offered) {
    const TlsPair pair(context->native(), {.version = TLS1_3_VERSION, .tls13_ciphers = offered});
    return pair.is_done() ? pair.cipher() : "none";
  };
  EXPECT_EQ(tls13("TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256"), "TLS_AES_128_GCM_SHA256");
  EXPECT_EQ(tls13("TLS_AES_256_GCM_SHA384"), "TLS_AES_256_GCM_SHA384");
  EXPECT_EQ(tls13("TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256"),
            "TLS_CHACHA20_POLY1305_SHA256");
  EXPECT_EQ(tls13("TLS_AES_128_CCM_SHA256"), "none");
}

TEST_F(TlsContextTest, AlpnIsTheServersPreferenceAmongWhatIsOffered) {
  TlsContextSettings settings = plain_settings();
  settings.alpn = {"holdfast/1", "mqtt"};
  const Context context = load(settings);
  const auto agreed = [&](std::vector<std::string> offered) {
    const TlsPair pair(context->native(), {.alpn = std::move(offered)});
    EXPECT_TRUE(pair.is_done());
    return pair.alpn();
  };
  EXPECT_EQ(agreed({"holdfast/1"}), "holdfast/1");
  EXPECT_EQ(agreed({"mqtt", "holdfast/1"}), "holdfast/1");
  EXPECT_EQ(agreed({"h2", "mqtt"}), "mqtt");
  EXPECT_EQ(agreed({}), "");
}

TEST_F(TlsContextTest, AlpnWithoutACommonNameEndsInItsAlert) {
  TlsContextSettings settings = plain_settings();
  settings.alpn = {"holdfast/1"};
  settings.certificates.push_back(files_of(make_identity({.common_name = "b"}), "b"));
  const Context context = load(settings);
  for (const char* name : {"a", "b"}) {
    const TlsPair pair(context->native(), {.server_name = name, .alpn = {"h2", "holdfast/2"}});
    EXPECT_FALSE(pair.is_done());
    EXPECT_EQ(pair.server_failure(), SSL_R_NO_APPLICATION_PROTOCOL);
    EXPECT_EQ(pair.client_failure(), SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL);
  }
}

// Clients' certificates.

struct AuthCase {
  TlsClientAuth client_auth;
  bool none;      // is a client without a certificate admitted?
  bool right;     // with one of the authority
  bool stranger;  // with one of another authority
};

TEST_F(TlsContextTest, ClientsAreAdmittedByWhatTheyShow) {
  const Identity other_ca = make_authority("other");
  const Identity stranger = make_identity({.common_name = "d1", .usage = "clientAuth"}, &other_ca);
  const Identity expired = make_identity(
      {.common_name = "d1", .usage = "clientAuth", .from_s = -7200, .to_s = -3600}, ca_);
  const Identity weak =
      make_identity({.common_name = "d1", .key = KeyKind::kRsa1024, .usage = "clientAuth"}, ca_);
  for (const AuthCase& expected : {AuthCase{TlsClientAuth::kOff, true, true, true},
                                   AuthCase{TlsClientAuth::kOptional, true, true, false},
                                   AuthCase{TlsClientAuth::kRequired, false, true, false}}) {
    const Context context = load(mutual_settings(expected.client_auth));
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      const auto is_admitted = [&](const Identity* identity) {
        const TlsPair pair(context->native(), {.identity = identity, .version = version});
        if (pair.is_done()) EXPECT_TRUE(context->still_admits(pair.server()));
        return pair.is_done();
      };
      EXPECT_EQ(is_admitted(nullptr), expected.none);
      EXPECT_EQ(is_admitted(device_), expected.right);
      EXPECT_EQ(is_admitted(&stranger), expected.stranger);
      EXPECT_EQ(is_admitted(&expired), expected.stranger);
      EXPECT_EQ(is_admitted(&weak), expected.stranger);
      EXPECT_EQ(is_admitted(server_), expected.stranger) << "not for clients";
    }
  }
}

TEST_F(TlsContextTest, PolicyHoldsWhicheverCertificateSniChose) {
  TlsContextSettings settings = mutual_settings(TlsClientAuth::kRequired);
  settings.certificates.push_back(files_of(make_identity({.common_name = "b"}), "b"));
  const Context context = load(settings);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    EXPECT_FALSE(TlsPair(context->native(), {.server_name = "b", .version = version}).is_done());
    EXPECT_TRUE(
        TlsPair(context->native(), {.server_name = "b", .identity = device_, .version = version})
            .is_done());
  }
}

TEST_F(TlsContextTest, AnIntermediateAuthorityIsTrustedByItself) {
  const Identity middle = make_identity({.common_name = "middle", .is_authority = true}, ca_);
  const Identity device = make_identity({.common_name = "d2", .usage = "clientAuth"}, &middle);
  TlsContextSettings settings = mutual_settings(TlsClientAuth::kRequired);
  settings.client_ca = write("middle.pem", middle.pem());
  const Context context = load(settings);
  EXPECT_TRUE(TlsPair(context->native(), {.identity = &device}).is_done());
  EXPECT_FALSE(TlsPair(context->native(), {.identity = device_}).is_done());
}

TEST_F(TlsContextTest, TheAuthoritysNameIsToldToClients) {
  const TlsPair pair(load(mutual_settings(TlsClientAuth::kOptional))->native(), {});
  const STACK_OF(X509_NAME)* const names = SSL_get0_peer_CA_list(pair.client());
  ASSERT_EQ(sk_X509_NAME_num(names), 1);
  EXPECT_EQ(
      X509_NAME_cmp(sk_X509_NAME_value(names, 0), X509_get_subject_name(ca_->certificate.get())),
      0);
}

int accept_anything(int, X509_STORE_CTX* store) {
  X509_STORE_CTX_set_error(store, X509_V_OK);
  return 1;
}

// A resumed session brings a certificate that was right when it began. Here the same without the
// wait: a server that looked at nothing lets an expired one in.
TEST_F(TlsContextTest, ACertificateThatHasRunOutSinceIsNoLongerAdmitted) {
  const Identity expired = make_identity(
      {.common_name = "d1", .usage = "clientAuth", .from_s = -7200, .to_s = -3600}, ca_);
  SslContextHandle blind(SSL_CTX_new(TLS_server_method()));
  ASSERT_EQ(SSL_CTX_use_cert_and_key(blind.get(), server_->certificate.get(), server_->key.get(),
                                     nullptr, 1),
            1);
  SSL_CTX_set_verify(blind.get(), SSL_VERIFY_PEER, accept_anything);
  const TlsPair late(blind.get(), {.identity = &expired});
  const TlsPair right(blind.get(), {.identity = device_});
  const TlsPair none(blind.get(), {});
  ASSERT_TRUE(late.is_done() && right.is_done() && none.is_done());
  const Context off = load(plain_settings());
  const Context optional = load(mutual_settings(TlsClientAuth::kOptional));
  const Context required = load(mutual_settings(TlsClientAuth::kRequired));
  EXPECT_TRUE(off->still_admits(late.server()));
  EXPECT_FALSE(optional->still_admits(late.server()));
  EXPECT_FALSE(required->still_admits(late.server()));
  EXPECT_TRUE(optional->still_admits(none.server()));
  EXPECT_FALSE(required->still_admits(none.server()));
  EXPECT_TRUE(required->still_admits(right.server()));
}

TEST_F(TlsContextTest, DeviceNamesComeFromWhereTheSettingSays) {
  const Identity device =
      make_identity({.common_name = "cn1",
                     .alt_names = {"DNS:dns1", "URI:urn:dev:7", "IP:10.0.0.1", "email:a@b"},
                     .usage = "clientAuth"},
                    ca_);
  const auto names_by = [&](DeviceIdSource source) {
    TlsContextSettings settings = mutual_settings(TlsClientAuth::kOptional);
    settings.device_id_source = source;
    const Context context = load(settings);
    EXPECT_EQ(context->checks_device_id(), source != DeviceIdSource::kNone);
    return context->device_names(*device.certificate);
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(names_by(DeviceIdSource::kNone), Names());
  EXPECT_EQ(names_by(DeviceIdSource::kCommonName), Names({"cn1"}));
  EXPECT_EQ(names_by(DeviceIdSource::kAltName), Names({"dns1", "urn:dev:7"}));
  EXPECT_EQ(names_by(DeviceIdSource::kAny), Names({"cn1", "dns1", "urn:dev:7"}));
  EXPECT_FALSE(load(plain_settings())->checks_device_id()) << "nobody shows a certificate";
}

// "d1" with a NUL and more behind it must not pass for "d1".
TEST_F(TlsContextTest, ANameWithANulInItIsNone) {
  const Identity forged = make_identity({.common_name = std::string("d1\0.evil", 8)}, ca_);
  EXPECT_EQ(load(mutual_settings(TlsClientAuth::kOptional))->device_names(*forged.certificate),
            std::vector<std::string>());
}

// Tickets.

class TlsTicketTest : public TlsContextTest, public testing::WithParamInterface<int> {
 protected:
  TlsPair shake(const Context& context, SSL_SESSION* session = nullptr,
                const Identity* identity = nullptr) const {
    return TlsPair(context->native(),
                   {.identity = identity, .session = session, .version = GetParam()});
  }
};

INSTANTIATE_TEST_SUITE_P(Versions, TlsTicketTest, testing::Values(TLS1_2_VERSION, TLS1_3_VERSION));

TEST_P(TlsTicketTest, ATicketResumesAndBringsTheCertificateBack) {
  const Context context = load(mutual_settings(TlsClientAuth::kRequired));
  const TlsPair first = shake(context, nullptr, device_);
  ASSERT_TRUE(first.is_done());
  EXPECT_FALSE(first.is_resumed());
  const SessionHandle session = first.session();
  const TlsPair second = shake(context, session.get());
  ASSERT_TRUE(second.is_done());
  EXPECT_TRUE(second.is_resumed());
  EXPECT_TRUE(context->still_admits(second.server()));
  const X509* const certificate = SSL_get0_peer_certificate(second.server());
  ASSERT_NE(certificate, nullptr);
  EXPECT_EQ(context->device_names(*certificate), std::vector<std::string>{"d1"});
}

TEST_P(TlsTicketTest, ANewTicketIsGivenWhereTheOldOneIsSpentOrItsKeyIsOld) {
  const Context context = load(plain_settings());
  const TlsPair first = shake(context);
  SessionHandle session = first.session();
  const TlsPair second = shake(context, session.get());
  ASSERT_TRUE(second.is_resumed());
  // Clients of TLS 1.3 use a ticket once.
  EXPECT_EQ(second.ticket() != first.ticket(), GetParam() == TLS1_3_VERSION);
  ASSERT_TRUE(ticket_keys_->rotate().is_ok());
  session = second.session();
  const TlsPair third = shake(context, session.get());
  ASSERT_TRUE(third.is_resumed());
  EXPECT_NE(third.ticket(), second.ticket());
  EXPECT_NE(third.ticket().substr(0, 16), second.ticket().substr(0, 16)) << "the new key's name";
}

TEST_P(TlsTicketTest, ATicketOfAForgottenKeyMeansAFullHandshake) {
  const Context context = load(plain_settings());
  const SessionHandle session = shake(context).session();
  for (size_t i = 0; i < TicketKeys::kKeptMax; ++i) ASSERT_TRUE(ticket_keys_->rotate().is_ok());
  const TlsPair again = shake(context, session.get());
  EXPECT_TRUE(again.is_done());
  EXPECT_FALSE(again.is_resumed());
}

TEST_P(TlsTicketTest, ATicketIsGoodForTheSamePolicyOnly) {
  const Context optional = load(mutual_settings(TlsClientAuth::kOptional));
  const SessionHandle session = shake(optional, nullptr, device_).session();
  const auto resumes = [&](const TlsContextSettings& settings) {
    const TlsPair pair = shake(load(settings), session.get(), device_);
    EXPECT_TRUE(pair.is_done());
    return pair.is_resumed();
  };
  EXPECT_TRUE(resumes(mutual_settings(TlsClientAuth::kOptional))) << "loaded anew, nothing changed";
  EXPECT_FALSE(resumes(mutual_settings(TlsClientAuth::kRequired)));
  EXPECT_FALSE(resumes(plain_settings()));
  TlsContextSettings other_ids = mutual_settings(TlsClientAuth::kOptional);
  other_ids.device_id_source = DeviceIdSource::kCommonName;
  EXPECT_FALSE(resumes(other_ids));
  TlsContextSettings other_ca = mutual_settings(TlsClientAuth::kOptional);
  other_ca.client_ca = write("two.pem", ca_->pem() + make_authority("two").pem());
  EXPECT_FALSE(resumes(other_ca));
}

// The hole that a ticket without a certificate would be where one is required.
TEST_P(TlsTicketTest, ATicketGotWithoutACertificateOpensNoStricterListener) {
  const SessionHandle session = shake(load(mutual_settings(TlsClientAuth::kOptional))).session();
  const TlsPair pair = shake(load(mutual_settings(TlsClientAuth::kRequired)), session.get());
  EXPECT_FALSE(pair.is_done());
}

// OCSP.

class TlsStaplingTest : public TlsContextTest {
 protected:
  TlsContextSettings stapled(const std::string& der) const {
    TlsContextSettings settings = plain_settings();
    settings.certificates[0].ocsp = write("server.ocsp", der);
    return settings;
  }
  std::string got(const TlsContextSettings& settings, const char* name = "") const {
    return TlsPair(load(settings)->native(), {.server_name = name, .wants_status = true})
        .status_response();
  }
};

TEST_F(TlsStaplingTest, ACurrentResponseIsGivenToWhoAsks) {
  const std::string der = test::make_ocsp_response(*server_, *ca_);
  EXPECT_EQ(got(stapled(der)), der);
  EXPECT_EQ(TlsPair(load(stapled(der))->native(), {}).status_response(), "");
  EXPECT_EQ(got(plain_settings()), "");
}

TEST_F(TlsStaplingTest, EachCertificateHasItsOwn) {
  const Identity other = make_identity({.common_name = "b"}, ca_);
  const std::string der = test::make_ocsp_response(other, *ca_);
  TlsContextSettings settings = plain_settings();
  settings.certificates.push_back(files_of(other, "b"));
  settings.certificates[1].ocsp = write("b.ocsp", der);
  EXPECT_EQ(got(settings, "b"), der);
  EXPECT_EQ(got(settings, "a"), "");
}

TEST_F(TlsStaplingTest, AResponseOutOfItsDatesIsLoadedAndNotGiven) {
  EXPECT_EQ(got(stapled(test::make_ocsp_response(*server_, *ca_, {.from_s = -7200, .to_s = -10}))),
            "");
  EXPECT_EQ(got(stapled(test::make_ocsp_response(*server_, *ca_, {.from_s = 600, .to_s = 7200}))),
            "");
}

TEST_F(TlsStaplingTest, AResponseThatIsNoneIsRefused) {
  const std::string mend = ": fetch the response for this certificate again";
  const std::string der = test::make_ocsp_response(*server_, *ca_);
  for (const std::string& bad :
       {std::string(), std::string("hello"), der.substr(0, der.size() - 1), der + "x"}) {
    EXPECT_EQ(error_of(stapled(bad)), "server.ocsp is not an OCSP response in DER" + mend);
  }
  EXPECT_EQ(error_of(stapled(test::make_ocsp_response(*server_, *ca_,
                                                      {.outcome = OCSP_RESPONSE_STATUS_TRYLATER}))),
            "server.ocsp says \"trylater\" and nothing of the certificate" + mend);
  EXPECT_EQ(error_of(stapled(test::make_ocsp_response(*device_, *ca_))),
            "server.ocsp speaks of another certificate" + mend);
  EXPECT_EQ(error_of(stapled(
                test::make_ocsp_response(*server_, *ca_, {.verdict = V_OCSP_CERTSTATUS_REVOKED}))),
            "server.ocsp says that the certificate is revoked, not good" + mend);
}

}  // namespace
}  // namespace holdfast
