#include "gateway/net/certificate_names.h"

#include <string_view>
#include <utility>

#include "common/openssl_handles.h"

namespace holdfast {
namespace {

using AltNames = std::unique_ptr<GENERAL_NAMES, FreeBy<GENERAL_NAMES_free>>;

void add_name(std::vector<std::string>& names, std::string_view name) {
  if (name.empty() || name.find('\0') != std::string_view::npos) return;
  names.emplace_back(name);
}

std::string_view text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<size_t>(ASN1_STRING_length(text))};
}

std::vector<std::string> alt_names(const X509& certificate, int wanted_kind) {
  const AltNames found(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> names;
  if (found == nullptr) return names;
  for (int i = 0; i < sk_GENERAL_NAME_num(found.get()); ++i) {
    int kind = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(found.get(), i), &kind);
    if (kind == wanted_kind) add_name(names, text_of(static_cast<const ASN1_STRING*>(value)));
  }
  return names;
}

}  // namespace

std::vector<std::string> common_names(const X509& certificate) {
  std::vector<std::string> names;
  const X509_NAME* const subject = X509_get_subject_name(&certificate);
  int at = -1;
  while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
    unsigned char* utf8 = nullptr;
    const int bytes =
        ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (bytes < 0) continue;
    add_name(names, {reinterpret_cast<const char*>(utf8), static_cast<size_t>(bytes)});
    OPENSSL_free(utf8);
  }
  return names;
}

std::vector<std::string> dns_names(const X509& certificate) {
  return alt_names(certificate, GEN_DNS);
}

std::vector<std::string> uri_names(const X509& certificate) {
  return alt_names(certificate, GEN_URI);
}

std::string in_small_letters(std::string name) {
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return name;
}

}  // namespace holdfast
