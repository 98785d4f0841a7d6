#pragma once

#include <algorithm>
#include <string_view>

#include "gateway/net/tls_secret.h"
#include "tests/unit/support/bytes.h"

namespace holdfast::test {

// A secret by its hexadecimal digits, as the examples in standards have them.
inline TlsSecret secret_from_hex(std::string_view digits) {
  const Bytes bytes = from_hex(digits);
  TlsSecret secret = TlsSecret::zeros(bytes.size());
  std::ranges::transform(bytes, secret.bytes.begin(),
                         [](std::byte byte) { return static_cast<uint8_t>(byte); });
  return secret;
}

}  // namespace holdfast::test
