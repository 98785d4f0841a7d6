#include "gateway/net/tls_certificate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/unit/gateway/net/tls_context_fixture.h"

namespace holdfast {
namespace {

using std::filesystem::path;
using test::Identity;
using test::KeyKind;
using test::make_identity;

class TlsCertificateTest : public test::TlsContextFixture {};

TEST_F(TlsCertificateTest, AKeyThatOthersMayReadIsRefusedWithTheMend) {
  TlsContextSettings settings = plain_settings();
  settings.certificates[0].key = write("open.key", server_->key_pem(), 0640);
  EXPECT_EQ(error_of(settings),
            "open.key has mode 0640, open to others than its owner: chmod 600 open.key");
}

TEST_F(TlsCertificateTest, MissingFilesAreNamed) {
  TlsContextSettings settings = plain_settings();
  settings.certificates[0].cert = folder_ / "none.pem";
  EXPECT_EQ(error_of(settings), "cannot open none.pem: No such file or directory");
  settings = plain_settings();
  settings.certificates[0].key = folder_ / "none.key";
  EXPECT_EQ(error_of(settings), "cannot open none.key: No such file or directory");
}

TEST_F(TlsCertificateTest, AFileWithoutACertificateIsRefused) {
  const std::string error =
      "c.pem holds no certificate: name a PEM file with a part that begins with "
      "-----BEGIN CERTIFICATE-----";
  EXPECT_EQ(error_of("", server_->key_pem()), error);
  EXPECT_EQ(error_of("hello\n", server_->key_pem()), error);
  EXPECT_EQ(error_of(server_->key_pem(), server_->key_pem()), error);
}

TEST_F(TlsCertificateTest, ACertificateThatIsCutOffIsRefused) {
  const std::string pem = server_->pem();
  const std::string error = "c.pem holds a certificate that cannot be read: copy it again, whole";
  EXPECT_EQ(error_of(pem.substr(0, pem.size() / 2), server_->key_pem()), error);
  EXPECT_EQ(error_of(pem + pem.substr(0, pem.size() / 2), server_->key_pem()), error);
  std::string garbled = pem;
  std::reverse(garbled.begin() + 40, garbled.begin() + 80);
  EXPECT_EQ(error_of(garbled, server_->key_pem()), error);
}

TEST_F(TlsCertificateTest, AnEncryptedKeyIsRefusedAndNobodyIsAsked) {
  EXPECT_EQ(error_of(server_->pem(), server_->encrypted_key_pem()),
            "c.key is encrypted, and nobody is there to give its password: decrypt it with "
            "`openssl pkey -in OLD -out NEW`");
}

TEST_F(TlsCertificateTest, AFileWithoutAKeyIsRefused) {
  const std::string error = "c.key holds no private key that can be read: name a PEM file with one";
  EXPECT_EQ(error_of(server_->pem(), ""), error);
  EXPECT_EQ(error_of(server_->pem(), server_->pem()), error);
}

TEST_F(TlsCertificateTest, KeyAndCertificateInOneFileAreTaken) {
  TlsContextSettings settings;
  const path both = write("both.pem", server_->pem() + server_->key_pem());
  settings.certificates = {{both, both, {}}};
  EXPECT_EQ(error_of(settings), "no error");
}

TEST_F(TlsCertificateTest, AKeyOfAnotherCertificateIsRefused) {
  EXPECT_EQ(error_of(server_->pem(), device_->key_pem()),
            "c.key is not the key of the certificate in c.pem: name the two that belong together");
}

TEST_F(TlsCertificateTest, WeakAndUnusableKeysAreRefused) {
  const std::string mend = ": make one of P-256, or RSA of 2048 bits or more";
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .key = KeyKind::kRsa1024})),
            "c.key has an RSA key of 1024 bits" + mend);
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .key = KeyKind::kSecp256k1})),
            "c.key has a key on a curve that TLS does not use" + mend);
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .key = KeyKind::kEd25519})), "no error");
}

TEST_F(TlsCertificateTest, ACertificateOutOfItsDatesIsRefused) {
  const Identity expired = make_identity({.common_name = "a", .from_s = -7200, .to_s = -3600});
  const std::string error = error_of(expired);
  EXPECT_TRUE(error.starts_with("the certificate in c.pem expired on 20")) << error;
  EXPECT_TRUE(error.ends_with(" UTC: renew it")) << error;
  const Identity early = make_identity({.common_name = "a", .from_s = 3600});
  const std::string not_yet = error_of(early);
  EXPECT_TRUE(not_yet.starts_with("the certificate in c.pem is not valid before 20")) << not_yet;
  EXPECT_TRUE(not_yet.ends_with(" UTC: check this machine's clock, or wait")) << not_yet;
}

TEST_F(TlsCertificateTest, ACertificateOfADeviceIsNoServers) {
  EXPECT_EQ(error_of(*device_),
            "c.pem holds a certificate that is not for servers (its extended key usage says so): "
            "have one made for a server");
  EXPECT_EQ(error_of(make_identity({.common_name = "a", .usage = nullptr})), "no error");
}

TEST_F(TlsCertificateTest, AChainBeginsWithTheLeafAndFollowsItsIssuers) {
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

}  // namespace
}  // namespace holdfast
