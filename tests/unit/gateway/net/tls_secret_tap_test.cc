#include "gateway/net/tls_secret_tap.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/unit/gateway/net/tls_secret_digits.h"

namespace holdfast {
namespace {

// Source of the figures: RFC 8448, 3.
constexpr std::string_view kMaster =
    "18DF06843D13A08BF2A449844C5F8A478001BC4D4C627984D5A41DA8D0402919";
constexpr std::string_view kTranscript =
    "9608102A0F1CCC6DB6250B7B7E417B1A000EAADA3DAAE4777A7686C9FF83DF13";
constexpr std::string_view kClient =
    "9E40646CE79A7F9DC05AF8889BCE6552875AFA0B06DF0087F792EBB7C17504A5";
constexpr std::string_view kServer =
    "A11AF9F05531F856AD47116B45A950328204B4F44BFB6B3A4B4F1F3FCB631643";
constexpr const char* kOpenssl = "provider=default";

// A derivation as libssl asks for it.
struct Wanted {
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  std::string digest = "SHA256";
  std::vector<uint8_t> key{};
  std::vector<uint8_t> salt{};
  std::string prefix = "tls13 ";
  std::string label{};
  std::vector<uint8_t> context{};
  size_t bytes = 32;
};

// Nothing when it is refused.
std::vector<uint8_t> derive(Wanted wanted, const char* properties = TlsSecretTap::kProperties) {
  std::vector<OSSL_PARAM> params;
  const auto add = [&params](const char* name, auto& bytes) {
    if (bytes.empty()) return;
    params.push_back(OSSL_PARAM_construct_octet_string(name, bytes.data(), bytes.size()));
  };
  params.push_back(OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &wanted.mode));
  params.push_back(
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, wanted.digest.data(), 0));
  add(OSSL_KDF_PARAM_KEY, wanted.key);
  add(OSSL_KDF_PARAM_SALT, wanted.salt);
  add(OSSL_KDF_PARAM_PREFIX, wanted.prefix);
  add(OSSL_KDF_PARAM_LABEL, wanted.label);
  add(OSSL_KDF_PARAM_DATA, wanted.context);
  params.push_back(OSSL_PARAM_construct_end());
  EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "TLS13-KDF", properties);
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(kdf);
  EVP_KDF_free(kdf);
  std::vector<uint8_t> derived(wanted.bytes);
  const int is_done = EVP_KDF_derive(context, derived.data(), derived.size(), params.data());
  EVP_KDF_CTX_free(context);
  if (is_done != 1) derived.clear();
  return derived;
}

std::vector<uint8_t> bytes_of(std::string_view digits) {
  const TlsSecret secret = test::secret_from_hex(digits);
  return {secret.span().begin(), secret.span().end()};
}

// A secret of the standard's example.
std::vector<uint8_t> derive(const std::string& label) {
  return derive({.key = bytes_of(kMaster), .label = label, .context = bytes_of(kTranscript)});
}

class TlsSecretTapTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(TlsSecretTap::load().is_ok()); }

  Tls13Secrets secrets_;
};

TEST_F(TlsSecretTapTest, SecretsAreThoseOfTheExampleInTheStandard) {
  const TlsSecretTap tap(secrets_);
  EXPECT_EQ(derive("c ap traffic"), bytes_of(kClient));
  EXPECT_EQ(derive("s ap traffic"), bytes_of(kServer));
  EXPECT_EQ(secrets_.client.bytes, test::secret_from_hex(kClient).bytes);
  EXPECT_EQ(secrets_.server.bytes, test::secret_from_hex(kServer).bytes);
  EXPECT_EQ(secrets_.client.size, 32);
  EXPECT_EQ(secrets_.server.size, 32);
}

TEST_F(TlsSecretTapTest, OtherSecretsAreNotKept) {
  const TlsSecretTap tap(secrets_);
  for (const char* label : {"c hs traffic", "s hs traffic", "exp master", "res master", ""}) {
    derive(label);
  }
  EXPECT_EQ(secrets_.client.size, 0);
  EXPECT_EQ(secrets_.server.size, 0);
}

TEST_F(TlsSecretTapTest, WhoDoesNotAskIsNotHeard) {
  const TlsSecretTap tap(secrets_);
  const Wanted wanted{.key = bytes_of(kMaster), .label = "c ap traffic"};
  EXPECT_EQ(derive(wanted, kOpenssl).size(), 32U);
  EXPECT_EQ(secrets_.client.size, 0);
}

TEST_F(TlsSecretTapTest, DerivesWhatOpensslDerives) {
  std::vector<Wanted> all;
  const auto some = [](size_t bytes) { return std::vector<uint8_t>(bytes, 0x5A); };
  for (const auto& [digest, hash_bytes] : {std::pair{"SHA256", 32U}, std::pair{"SHA384", 48U}}) {
    for (const char* label :
         {"", "key", "s ap traffic", "a label of 16 by", "a longer label of 20"}) {
      for (const size_t context_bytes : {0U, 1U, 32U, 48U, 64U}) {
        for (const size_t bytes : {12U, 16U, 32U, 48U, 60U}) {
          all.push_back({.digest = digest,
                         .key = some(hash_bytes),
                         .label = label,
                         .context = some(context_bytes),
                         .bytes = bytes});
        }
      }
    }
    all.push_back({.digest = digest, .key = some(hash_bytes - 1), .label = "key"});
    all.push_back({.digest = digest, .key = some(hash_bytes), .prefix = "dtls13", .label = "key"});
    for (const size_t salt_bytes : {size_t{0}, size_t{hash_bytes}}) {
      for (const size_t key_bytes : {0U, 32U, 66U}) {
        all.push_back({.mode = EVP_KDF_HKDF_MODE_EXTRACT_ONLY,
                       .digest = digest,
                       .key = some(key_bytes),
                       .salt = some(salt_bytes),
                       .label = "derived",
                       .bytes = hash_bytes});
      }
    }
  }
  all.push_back({.digest = "SHA512", .key = some(64), .label = "key"});
  all.push_back({.digest = "none", .key = some(32), .label = "key"});
  all.push_back({.mode = 7, .key = some(32), .label = "key"});
  for (const Wanted& one : all) {
    EXPECT_EQ(derive(one), derive(one, kOpenssl))
        << one.mode << ' ' << one.digest << ' ' << one.key.size() << ' ' << one.label << ' '
        << one.context.size() << ' ' << one.bytes;
  }
}

TEST_F(TlsSecretTapTest, WhatWasSetBeforeCounts) {
  TlsSecret key = test::secret_from_hex(kMaster);
  TlsSecret hash = test::secret_from_hex(kTranscript);
  std::string prefix = "tls13 ";
  std::string label = "s ap traffic";
  char digest[] = "SHA256";
  int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
  const OSSL_PARAM before[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, key.bytes.data(), key.size),
      OSSL_PARAM_construct_end(),
  };
  const OSSL_PARAM rest[] = {
      OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
      OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_DATA, hash.bytes.data(), hash.size),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size()),
      OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_LABEL, label.data(), label.size()),
      OSSL_PARAM_construct_end(),
  };
  EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, "TLS13-KDF", TlsSecretTap::kProperties);
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(kdf);
  std::vector<uint8_t> derived(32);
  EXPECT_EQ(EVP_KDF_CTX_set_params(context, before), 1);
  EXPECT_EQ(EVP_KDF_derive(context, derived.data(), derived.size(), rest), 1);
  EXPECT_EQ(derived, bytes_of(kServer));
  EVP_KDF_CTX_reset(context);
  EXPECT_NE(EVP_KDF_derive(context, derived.data(), derived.size(), rest), 1);  // the key is gone
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
}

TEST_F(TlsSecretTapTest, ATapIsItsThreadsAlone) {
  const TlsSecretTap tap(secrets_);
  std::thread([] { derive("c ap traffic"); }).join();
  EXPECT_EQ(secrets_.client.size, 0);
  Tls13Secrets others;
  std::thread([&others] {
    const TlsSecretTap tap_of_another(others);
    derive("s ap traffic");
  }).join();
  EXPECT_EQ(others.server.size, 32);
  EXPECT_EQ(secrets_.server.size, 0);
}

TEST_F(TlsSecretTapTest, NothingIsHeardOnceItIsGone) {
  { const TlsSecretTap tap(secrets_); }
  derive("c ap traffic");
  EXPECT_EQ(secrets_.client.size, 0);
}

}  // namespace
}  // namespace holdfast
