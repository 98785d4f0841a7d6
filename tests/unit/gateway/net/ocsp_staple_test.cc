#include "gateway/net/ocsp_staple.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/gateway/net/tls_context_fixture.h"

namespace holdfast {
namespace {

using test::Identity;
using test::make_identity;
using test::TlsPair;

class OcspStapleTest : public test::TlsContextFixture {
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

TEST_F(OcspStapleTest, ACurrentResponseIsGivenToWhoAsks) {
  const std::string der = test::make_ocsp_response(*server_, *ca_);
  EXPECT_EQ(got(stapled(der)), der);
  EXPECT_EQ(TlsPair(load(stapled(der))->native(), {}).status_response(), "");
  EXPECT_EQ(got(plain_settings()), "");
}

TEST_F(OcspStapleTest, EachCertificateHasItsOwn) {
  const Identity other = make_identity({.common_name = "b"}, ca_);
  const std::string der = test::make_ocsp_response(other, *ca_);
  TlsContextSettings settings = plain_settings();
  settings.certificates.push_back(files_of(other, "b"));
  settings.certificates[1].ocsp = write("b.ocsp", der);
  EXPECT_EQ(got(settings, "b"), der);
  EXPECT_EQ(got(settings, "a"), "");
}

TEST_F(OcspStapleTest, AResponseOutOfItsDatesIsLoadedAndNotGiven) {
  EXPECT_EQ(got(stapled(test::make_ocsp_response(*server_, *ca_, {.from_s = -7200, .to_s = -10}))),
            "");
  EXPECT_EQ(got(stapled(test::make_ocsp_response(*server_, *ca_, {.from_s = 600, .to_s = 7200}))),
            "");
}

TEST_F(OcspStapleTest, AResponseThatIsNoneIsRefused) {
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
