#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <optional>
#include <string>

// Dates of certificates as seconds since 1970.
namespace holdfast {

// Nothing when it cannot be read.
std::optional<int64_t> unix_seconds(const ASN1_TIME* time);
std::string date_text(int64_t unix_s);  // "2026-11-25 09:30 UTC"

enum class Validity : uint8_t { kCurrent, kNotYet, kExpired, kUnreadable };
Validity validity(const X509& certificate, int64_t now_s);

int64_t wall_clock_s();

}  // namespace holdfast
