#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "gateway/net/tls_context.h"
#include "tests/unit/gateway/net/tls_context_fixture.h"

namespace holdfast {
namespace {

using test::Context;
using test::Identity;
using test::make_authority;
using test::TlsPair;

class TlsTicketTest : public test::TlsContextFixture, public testing::WithParamInterface<int> {
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
  const SslSessionHandle session = first.session();
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
  SslSessionHandle session = first.session();
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
  const SslSessionHandle session = shake(context).session();
  for (size_t i = 0; i < TicketKeys::kKeptMax; ++i) ASSERT_TRUE(ticket_keys_->rotate().is_ok());
  const TlsPair again = shake(context, session.get());
  EXPECT_TRUE(again.is_done());
  EXPECT_FALSE(again.is_resumed());
}

TEST_P(TlsTicketTest, ATicketIsGoodForTheSamePolicyOnly) {
  const Context optional = load(mutual_settings(TlsClientAuth::kOptional));
  const SslSessionHandle session = shake(optional, nullptr, device_).session();
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
  const SslSessionHandle session = shake(load(mutual_settings(TlsClientAuth::kOptional))).session();
  const TlsPair pair = shake(load(mutual_settings(TlsClientAuth::kRequired)), session.get());
  EXPECT_FALSE(pair.is_done());
}

}  // namespace
}  // namespace holdfast
