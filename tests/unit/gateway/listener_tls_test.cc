#include "gateway/listener_tls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/gateway/options_fixture.h"

namespace holdfast {
namespace {

class ListenerTlsTest : public OptionsFixture {
 protected:
  TlsContextSettings effective(const std::string& text) const {
    const Options options = loaded(text);
    return effective_tls(options, options.listeners[0]);
  }
};

const std::string kAll = R"(
[tls]
cert_file = ["a.pem", "b.pem"]
key_file = ["a.key", "b.key"]
ocsp_file = ["", "b.ocsp"]
client_ca_file = "ca.pem"
client_auth = "optional"
device_id_from = "cn"
)";

TEST_F(ListenerTlsTest, WithoutAnythingThereIsNoCertificate) {
  const TlsContextSettings settings = effective("");
  EXPECT_TRUE(settings.certificates.empty());
  EXPECT_EQ(settings.client_auth, TlsClientAuth::kOff);
  EXPECT_EQ(settings.alpn, std::vector<std::string>{"holdfast/1"});
}

TEST_F(ListenerTlsTest, WhatItLeavesOutIsInherited) {
  const TlsContextSettings settings = effective(kAll);
  EXPECT_EQ(settings.certificates, (std::vector<TlsCertificateFiles>{
                                       {"a.pem", "a.key", ""}, {"b.pem", "b.key", "b.ocsp"}}));
  EXPECT_EQ(settings.client_ca, "ca.pem");
  EXPECT_EQ(settings.client_auth, TlsClientAuth::kOptional);
  EXPECT_EQ(settings.device_id_source, DeviceIdSource::kCommonName);
}

TEST_F(ListenerTlsTest, ItsOwnCertificatesReplaceAllOfThem) {
  const TlsContextSettings settings =
      effective(kAll + "[[listener]]\ncert_file = \"c.pem\"\nkey_file = \"c.key\"\n");
  EXPECT_EQ(settings.certificates, (std::vector<TlsCertificateFiles>{{"c.pem", "c.key", ""}}));
  EXPECT_EQ(settings.client_ca, "ca.pem");
}

TEST_F(ListenerTlsTest, ItsOwnPolicyReplacesThatOfAll) {
  EXPECT_EQ(effective(kAll + "[[listener]]\nclient_ca_file = \"d.pem\"\n").client_ca, "d.pem");
  const std::pair<const char*, TlsClientAuth> cases[] = {{"inherit", TlsClientAuth::kOptional},
                                                         {"off", TlsClientAuth::kOff},
                                                         {"optional", TlsClientAuth::kOptional},
                                                         {"required", TlsClientAuth::kRequired}};
  for (const auto& [text, expected] : cases) {
    EXPECT_EQ(
        effective(kAll + "[[listener]]\ntls = true\nclient_auth = \"" + text + "\"\n").client_auth,
        expected);
  }
}

TEST_F(ListenerTlsTest, AlpnNamesFollowTheProtocols) {
  Options options = loaded("");
  options.listeners[0].protocols = {"mqtt", "native", "websocket"};
  EXPECT_EQ(effective_tls(options, options.listeners[0]).alpn,
            (std::vector<std::string>{"mqtt", "holdfast/1", "http/1.1"}));
}

}  // namespace
}  // namespace holdfast
