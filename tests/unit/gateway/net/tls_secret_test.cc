#include "gateway/net/tls_secret.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/unit/gateway/net/tls_secret_digits.h"
#include "tests/unit/support/bytes.h"

namespace holdfast {
namespace {

// Source of the figures: RFC 8448, 3.
constexpr std::string_view kServerSecret =
    "A11AF9F05531F856AD47116B45A950328204B4F44BFB6B3A4B4F1F3FCB631643";

test::Bytes expanded(std::string_view label, size_t size) {
  std::vector<uint8_t> out(size);
  tls13_expand_label(test::secret_from_hex(kServerSecret), label, {}, out);
  const auto bytes = std::as_bytes(std::span(out));
  return {bytes.begin(), bytes.end()};
}

TEST(TlsSecret, KeyAndIvAreThoseOfTheExampleInTheStandard) {
  EXPECT_EQ(expanded("key", 16), test::from_hex("9F02283B6C9C07EFC26BB9F2AC92E356"));
  EXPECT_EQ(expanded("iv", 12), test::from_hex("CF782B88DD83549AADF1E984"));
}

TEST(TlsSecret, TheNextSecretIsAnotherOfTheSameSize) {
  const TlsSecret secret = test::secret_from_hex(kServerSecret);
  const TlsSecret next = tls13_next_secret(secret);
  EXPECT_EQ(next.size, 32);
  EXPECT_NE(next.bytes, secret.bytes);
}

// That the block is the right one is shown by OpenSSL's own client, in tls_handshake_test.cc.
TEST(TlsSecret, TheKeyBlockDependsOnEveryPart) {
  Tls12Secrets secrets;
  secrets.hash = EVP_sha256();
  const auto block = [&secrets] {
    std::array<uint8_t, 40> out{};
    EXPECT_TRUE(tls12_key_block(secrets, out));
    return out;
  };
  const auto first = block();
  EXPECT_EQ(block(), first);
  secrets.client_random[0] = 1;
  const auto second = block();
  EXPECT_NE(second, first);
  secrets.hash = EVP_sha384();
  EXPECT_NE(block(), second);
}

}  // namespace
}  // namespace holdfast
