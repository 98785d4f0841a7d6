#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/net/tls_context.h"
#include "tests/unit/gateway/net/tls_context_fixture.h"

namespace holdfast {
namespace {

using test::Context;
using test::Identity;
using test::KeyKind;
using test::make_authority;
using test::make_identity;
using test::TlsPair;

class TlsClientAuthTest : public test::TlsContextFixture {
 protected:
  // A server with a judgement of its own.
  static SslContextHandle server_that_asks(SSL_verify_cb judge) {
    SslContextHandle native(SSL_CTX_new(TLS_server_method()));
    EXPECT_EQ(SSL_CTX_use_cert_and_key(native.get(), server_->certificate.get(), server_->key.get(),
                                       nullptr, 1),
              1);
    SSL_CTX_set_verify(native.get(), SSL_VERIFY_PEER, judge);
    return native;
  }
};

struct AuthCase {
  TlsClientAuth client_auth;
  bool none;      // is a client without a certificate admitted?
  bool right;     // with one of the authority
  bool stranger;  // with one of another authority
};

TEST_F(TlsClientAuthTest, ClientsAreAdmittedByWhatTheyShow) {
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
        EXPECT_EQ(pair.is_done() && context->still_admits(pair.server()), pair.is_done());
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

TEST_F(TlsClientAuthTest, PolicyHoldsWhicheverCertificateSniChose) {
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

TEST_F(TlsClientAuthTest, AnIntermediateAuthorityIsTrustedByItself) {
  const Identity middle = make_identity({.common_name = "middle", .is_authority = true}, ca_);
  const Identity device = make_identity({.common_name = "d2", .usage = "clientAuth"}, &middle);
  TlsContextSettings settings = mutual_settings(TlsClientAuth::kRequired);
  settings.client_ca = write("middle.pem", middle.pem());
  const Context context = load(settings);
  EXPECT_TRUE(TlsPair(context->native(), {.identity = &device}).is_done());
  EXPECT_FALSE(TlsPair(context->native(), {.identity = device_}).is_done());
}

TEST_F(TlsClientAuthTest, TheAuthoritysNameIsToldToClients) {
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
TEST_F(TlsClientAuthTest, ACertificateThatHasRunOutSinceIsNoLongerAdmitted) {
  const Identity expired = make_identity(
      {.common_name = "d1", .usage = "clientAuth", .from_s = -7200, .to_s = -3600}, ca_);
  const SslContextHandle blind = server_that_asks(accept_anything);
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

TEST_F(TlsClientAuthTest, ACertificateThatWasNotRightIsNotAdmitted) {
  const SslContextHandle lenient = server_that_asks([](int, X509_STORE_CTX*) { return 1; });
  const TlsPair pair(lenient.get(), {.identity = device_});
  ASSERT_TRUE(pair.is_done());
  EXPECT_FALSE(load(mutual_settings(TlsClientAuth::kRequired))->still_admits(pair.server()));
}

TEST_F(TlsClientAuthTest, DeviceNamesComeFromWhereTheSettingSays) {
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
TEST_F(TlsClientAuthTest, ANameWithANulInItIsNone) {
  const Identity forged = make_identity({.common_name = std::string("d1\0.evil", 8)}, ca_);
  EXPECT_EQ(load(mutual_settings(TlsClientAuth::kOptional))->device_names(*forged.certificate),
            std::vector<std::string>());
}

}  // namespace
}  // namespace holdfast
