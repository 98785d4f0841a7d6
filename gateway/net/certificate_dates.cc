#include "gateway/net/certificate_dates.h"

#include <time.h>

#include <array>

#include "common/clock.h"
#include "common/openssl_handles.h"

namespace holdfast {

std::optional<int64_t> unix_seconds(const ASN1_TIME* time) {
  tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return std::nullopt;
  return timegm(&parts);
}

std::string date_text(int64_t unix_s) {
  const time_t time = unix_s;
  tm parts{};
  std::array<char, 64> text{};
  gmtime_r(&time, &parts);
  return {text.data(), strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

Validity validity(const X509& certificate, int64_t now_s) {
  const auto from = unix_seconds(X509_get0_notBefore(&certificate));
  const auto to = unix_seconds(X509_get0_notAfter(&certificate));
  if (!from || !to) return Validity::kUnreadable;
  if (now_s < *from) return Validity::kNotYet;
  return now_s > *to ? Validity::kExpired : Validity::kCurrent;
}

int64_t wall_clock_s() { return static_cast<int64_t>(wall_clock_ms() / 1000); }

}  // namespace holdfast
