#include "gateway/net/ocsp_staple.h"

#include <memory>
#include <utility>

#include "common/openssl_handles.h"
#include "common/small_file.h"
#include "gateway/net/certificate_dates.h"

namespace holdfast {
namespace {

constexpr size_t kFileBytesMax = 65'536;

using Response = std::unique_ptr<OCSP_RESPONSE, FreeBy<OCSP_RESPONSE_free>>;
using BasicResponse = std::unique_ptr<OCSP_BASICRESP, FreeBy<OCSP_BASICRESP_free>>;

Status unusable(const std::filesystem::path& file, const std::string& what) {
  ERR_clear_error();
  return Status::error(file.string() + what + ": fetch the response for this certificate again");
}

Response parse(const std::string& der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  Response response(d2i_OCSP_RESPONSE(nullptr, &at, static_cast<long>(der.size())));
  return at == end ? std::move(response) : nullptr;
}

// The part that speaks of `certificate`, told by its number: each file is named beside its
// certificate, whose authority it is asked of.
OCSP_SINGLERESP* find_part(OCSP_BASICRESP* basic, const X509& certificate) {
  for (int i = 0; i < OCSP_resp_count(basic); ++i) {
    OCSP_SINGLERESP* const part = OCSP_resp_get0(basic, i);
    ASN1_INTEGER* serial = nullptr;
    OCSP_id_get0_info(nullptr, nullptr, nullptr, &serial,
                      const_cast<OCSP_CERTID*>(OCSP_SINGLERESP_get0_id(part)));
    if (ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(&certificate)) == 0) return part;
  }
  return nullptr;
}

}  // namespace

Result<OcspStaple> read_ocsp_staple(const std::filesystem::path& file, const X509& certificate) {
  Result<std::string> der = read_small_file(file, kFileBytesMax, FilePrivacy::kAny);
  if (!der.is_ok()) return der.status();
  const Response response = parse(der.value());
  if (response == nullptr) return unusable(file, " is not an OCSP response in DER");
  const int outcome = OCSP_response_status(response.get());
  if (outcome != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return unusable(file, std::string(" says \"") + OCSP_response_status_str(outcome) +
                              "\" and nothing of the certificate");
  }
  const BasicResponse basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr) return unusable(file, " is not an OCSP response of the basic type");
  OCSP_SINGLERESP* const part = find_part(basic.get(), certificate);
  if (part == nullptr) return unusable(file, " speaks of another certificate");
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* to = nullptr;
  const int verdict = OCSP_single_get0_status(part, nullptr, nullptr, &from, &to);
  if (verdict != V_OCSP_CERTSTATUS_GOOD) {
    return unusable(file, std::string(" says that the certificate is ") +
                              OCSP_cert_status_str(verdict) + ", not good");
  }
  const auto from_s = unix_seconds(from);
  const auto to_s = unix_seconds(to);
  if (!from_s || (to != nullptr && !to_s)) return unusable(file, " has a date that is none");
  return OcspStaple{std::move(der.value()), *from_s, to_s};
}

}  // namespace holdfast
