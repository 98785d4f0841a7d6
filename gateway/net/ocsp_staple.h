#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/status.h"

namespace holdfast {

// What the authority of a certificate says of it, as a client gets it with the handshake (RFC 6066,
// 8). Whether the signature is right is for the client to see.
struct OcspStaple {
  std::string der;
  int64_t from_s = 0;           // since 1970
  std::optional<int64_t> to_s;  // nothing: the authority names no end

  bool is_current(int64_t now_s) const { return from_s <= now_s && (!to_s || now_s <= *to_s); }
};

// Reads a response in DER that says that `certificate` is good. One that is no longer current is
// read too. Errors name the file and what mends them.
Result<OcspStaple> read_ocsp_staple(const std::filesystem::path& file, const X509& certificate);

}  // namespace holdfast
