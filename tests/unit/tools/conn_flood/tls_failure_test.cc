#include "tools/conn_flood/tls_failure.h"

#include <gtest/gtest.h>
#include <openssl/x509_vfy.h>

#include <set>
#include <string>

namespace holdfast::flood {
namespace {

TEST(TlsFailure, EveryKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (size_t i = 0; i < kTlsFailureKindCount; ++i) {
    names.insert(to_text(static_cast<TlsFailureKind>(i)));
  }
  EXPECT_EQ(names.size(), kTlsFailureKindCount);
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(TlsFailure, AlertsHaveNumberAndName) {
  EXPECT_EQ(alert_text(40), "40 handshake_failure");
  EXPECT_EQ(alert_text(116), "116 certificate_required");
  EXPECT_EQ(alert_text(120), "120 no_application_protocol");
  EXPECT_EQ(alert_text(200), "200");
}

TEST(TlsFailure, IsExplainedWithTheMend) {
  EXPECT_EQ(explain({TlsFailureKind::kAlert, 116}),
            "alert 116 certificate_required; give --cert and --key");
  EXPECT_EQ(explain({TlsFailureKind::kAlert, 200}), "alert 200");
  EXPECT_EQ(explain({TlsFailureKind::kCertificateRefused, X509_V_ERR_HOSTNAME_MISMATCH}),
            "hostname mismatch; give the name that is in it as --server-name");
  EXPECT_EQ(explain({TlsFailureKind::kCertificateRefused, X509_V_ERR_CERT_HAS_EXPIRED}),
            "certificate has expired");
}

}  // namespace
}  // namespace holdfast::flood
