#include "gateway/net/tls_context.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "gateway/net/certificate_dates.h"
#include "tests/unit/gateway/net/tls_context_fixture.h"

namespace holdfast {
namespace {

using test::ClientWish;
using test::Context;
using test::Identity;
using test::KeyKind;
using test::make_identity;
using test::TlsPair;

class TlsContextTest : public test::TlsContextFixture {};

TEST_F(TlsContextTest, TheChainOfTheFileIsSentAndNothingMore) {
  const Identity middle = make_identity({.common_name = "middle", .is_authority = true}, ca_);
  const Identity leaf = make_identity({.common_name = "leaf"}, &middle);
  TlsContextSettings settings = mutual_settings(TlsClientAuth::kOptional);
  const TlsPair below_ca(load(settings)->native(), {});
  EXPECT_EQ(sk_X509_num(SSL_get_peer_cert_chain(below_ca.client())), 1) << "its CA is for clients";
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
  const Context context = load(settings);
  const auto& listed = context->certificates();
  ASSERT_EQ(listed.size(), 2U);
  EXPECT_EQ(shortened(listed[0].file), "server.pem");
  EXPECT_EQ(listed[0].names, "a");
  EXPECT_EQ(shortened(listed[1].file), "named.pem");
  EXPECT_EQ(listed[1].names, "a.example,b.example");
  EXPECT_NEAR(static_cast<double>(listed[1].expires_s - wall_clock_s()), 90 * 86'400, 60);
}

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

TEST_F(TlsContextTest, WhatCostsMemoryOrIsAHoleIsOff) {
  const Context context = load(plain_settings());
  SSL_CTX* const native = context->native();
  EXPECT_EQ(SSL_CTX_get_num_tickets(native), 1U);
  EXPECT_EQ(SSL_CTX_get_session_cache_mode(native), SSL_SESS_CACHE_OFF);
  EXPECT_EQ(SSL_CTX_get_max_early_data(native), 0U);
  EXPECT_EQ(SSL_CTX_get_timeout(native), TlsContext::kTicketLifetimeS);
  EXPECT_NE(SSL_CTX_get_options(native) & SSL_OP_NO_RENEGOTIATION, 0U);
  EXPECT_NE(SSL_CTX_get_options(native) & SSL_OP_NO_COMPRESSION, 0U);
  EXPECT_NE(SSL_CTX_get_mode(native) & SSL_MODE_RELEASE_BUFFERS, 0);
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

}  // namespace
}  // namespace holdfast
