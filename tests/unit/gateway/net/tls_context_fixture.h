#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "gateway/net/tls_context.h"
#include "tests/unit/support/certificates.h"
#include "tests/unit/support/temporary_folder.h"
#include "tests/unit/support/tls_pair.h"

namespace holdfast::test {

using Context = std::shared_ptr<const TlsContext>;

// Contexts of certificates made here: of an authority, a server "a" and a device "d1".
class TlsContextFixture : public TemporaryFolder {
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

  inline static Identity* ca_ = nullptr;
  inline static Identity* server_ = nullptr;
  inline static Identity* device_ = nullptr;
  std::shared_ptr<TicketKeys> ticket_keys_ = TicketKeys::make().value();
};

}  // namespace holdfast::test
