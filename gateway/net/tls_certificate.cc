#include "gateway/net/tls_certificate.h"

#include <openssl/pem.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "common/small_file.h"
#include "gateway/net/certificate_dates.h"
#include "gateway/net/certificate_names.h"

namespace holdfast {
namespace {

constexpr size_t kCertificateFileBytesMax = 262'144;
constexpr size_t kKeyFileBytesMax = 65'536;
constexpr int kRsaBitsMin = 2048;

Status unusable(const std::filesystem::path& file, const std::string& what) {
  ERR_clear_error();
  return Status::error(file.string() + what);
}

// In place of OpenSSL's own, which asks on the terminal. `was_asked`: a bool.
int give_no_password(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

// A file's text, wiped when it goes.
class SecretText final {
 public:
  explicit SecretText(std::string text) : text_(std::move(text)) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  ~SecretText() { OPENSSL_cleanse(text_.data(), text_.size()); }

  BioHandle reader() const {
    return BioHandle(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
  }

 private:
  std::string text_;
};

bool is_curve_usable(const EVP_PKEY* key) {
  constexpr std::string_view kCurves[] = {SN_X9_62_prime256v1, SN_secp384r1, SN_secp521r1};
  std::array<char, 64> name{};
  size_t bytes = 0;
  if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &bytes) != 1) return false;
  return std::ranges::find(kCurves, std::string_view(name.data(), bytes)) != std::end(kCurves);
}

Status check_strength(const EVP_PKEY* key, const std::filesystem::path& file) {
  constexpr const char* kMend = ": make one of P-256, or RSA of 2048 bits or more";
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_RSA_PSS: {
      const int bits = EVP_PKEY_get_bits(key);
      if (bits >= kRsaBitsMin) return Status::ok();
      return unusable(file, " has an RSA key of " + std::to_string(bits) + " bits" + kMend);
    }
    case EVP_PKEY_EC:
      if (is_curve_usable(key)) return Status::ok();
      return unusable(file, std::string(" has a key on a curve that TLS does not use") + kMend);
    case EVP_PKEY_ED25519:
      return Status::ok();
    default:
      return unusable(file, std::string(" has a key of a kind that is not supported") + kMend);
  }
}

Result<KeyHandle> read_key(const std::filesystem::path& file) {
  Result<std::string> read = read_small_file(file, kKeyFileBytesMax, FilePrivacy::kOwnerOnly);
  if (!read.is_ok()) return read.status();
  const SecretText text(std::move(read.value()));
  bool was_asked = false;
  KeyHandle key(
      PEM_read_bio_PrivateKey(text.reader().get(), nullptr, give_no_password, &was_asked));
  if (was_asked) {
    return unusable(file,
                    " is encrypted, and nobody is there to give its password: decrypt it "
                    "with `openssl pkey -in OLD -out NEW`");
  }
  if (key == nullptr) {
    return unusable(file, " holds no private key that can be read: name a PEM file with one");
  }
  if (Status strength = check_strength(key.get(), file); !strength.is_ok()) return strength;
  return key;
}

Status check_dates(const X509& certificate, const std::filesystem::path& file, bool is_leaf) {
  const std::string which = is_leaf ? "the certificate in " : "an intermediate certificate in ";
  const std::string subject = which + file.string();
  switch (validity(certificate, wall_clock_s())) {
    case Validity::kCurrent:
      return Status::ok();
    case Validity::kNotYet:
      return Status::error(subject + " is not valid before " +
                           date_text(*unix_seconds(X509_get0_notBefore(&certificate))) +
                           ": check this machine's clock, or wait");
    case Validity::kExpired:
      return Status::error(subject + " expired on " +
                           date_text(*unix_seconds(X509_get0_notAfter(&certificate))) +
                           ": renew it");
    case Validity::kUnreadable:
      break;
  }
  return Status::error(subject + " has a date that cannot be read: have it made again");
}

// The leaf first, then each one's issuer.
Status check_chain(const std::vector<CertificateHandle>& chain, const std::filesystem::path& file) {
  for (size_t i = 0; i < chain.size(); ++i) {
    if (Status dates = check_dates(*chain[i], file, i == 0); !dates.is_ok()) return dates;
    if (i == 0) continue;
    if (X509_check_issued(chain[i].get(), chain[i - 1].get()) != X509_V_OK) {
      return unusable(file,
                      " is out of order: the server's certificate comes first, then the one "
                      "that signed it, and so on");
    }
  }
  if (X509_check_purpose(chain.front().get(), X509_PURPOSE_SSL_SERVER, 0) != 1) {
    return unusable(file,
                    " holds a certificate that is not for servers (its extended key usage "
                    "says so): have one made for a server");
  }
  return Status::ok();
}

Status check_pair(const std::vector<CertificateHandle>& chain, const EVP_PKEY* key,
                  const TlsCertificateFiles& files) {
  const auto has_key = [key](const CertificateHandle& certificate) {
    return X509_check_private_key(certificate.get(), key) == 1;
  };
  if (has_key(chain.front())) return Status::ok();
  if (std::any_of(chain.begin() + 1, chain.end(), has_key)) {
    return unusable(files.cert, " is out of order: the certificate of " + files.key.string() +
                                    " must come first");
  }
  return unusable(files.key, " is not the key of the certificate in " + files.cert.string() +
                                 ": name the two that belong together");
}

std::vector<std::string> server_names(const X509& certificate) {
  std::vector<std::string> names = dns_names(certificate);
  if (names.empty()) names = common_names(certificate);
  for (std::string& name : names) name = in_small_letters(std::move(name));
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

Result<std::vector<CertificateHandle>> parse_certificates(const std::string& pem,
                                                          const std::filesystem::path& file) {
  const BioHandle reader(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  std::vector<CertificateHandle> certificates;
  bool was_asked = false;
  ERR_clear_error();
  while (X509* const next =
             PEM_read_bio_X509(reader.get(), nullptr, give_no_password, &was_asked)) {
    certificates.emplace_back(next);
  }
  const unsigned long error = ERR_peek_last_error();
  ERR_clear_error();
  if (ERR_GET_LIB(error) != ERR_LIB_PEM || ERR_GET_REASON(error) != PEM_R_NO_START_LINE) {
    return unusable(file, " holds a certificate that cannot be read: copy it again, whole");
  }
  if (certificates.empty()) {
    return unusable(file,
                    " holds no certificate: name a PEM file with a part that begins with "
                    "-----BEGIN CERTIFICATE-----");
  }
  return certificates;
}

Result<TlsCertificate> load_tls_certificate(const TlsCertificateFiles& files) {
  const Result<std::string> pem =
      read_small_file(files.cert, kCertificateFileBytesMax, FilePrivacy::kAny);
  if (!pem.is_ok()) return pem.status();
  Result<std::vector<CertificateHandle>> parsed = parse_certificates(pem.value(), files.cert);
  if (!parsed.is_ok()) return parsed.status();
  std::vector<CertificateHandle>& chain = parsed.value();
  Result<KeyHandle> key = read_key(files.key);
  if (!key.is_ok()) return key.status();
  Status status = check_pair(chain, key.value().get(), files);
  if (status.is_ok()) status = check_chain(chain, files.cert);
  if (!status.is_ok()) return status;

  TlsCertificate certificate;
  if (!files.ocsp.empty()) {
    Result<OcspStaple> staple = read_ocsp_staple(files.ocsp, *chain.front());
    if (!staple.is_ok()) return staple.status();
    certificate.staple = std::move(staple.value());
  }
  certificate.leaf = std::move(chain.front());
  chain.erase(chain.begin());
  certificate.intermediates = std::move(chain);
  certificate.key = std::move(key.value());
  certificate.names = server_names(*certificate.leaf);
  certificate.expires_s = *unix_seconds(X509_get0_notAfter(certificate.leaf.get()));
  return certificate;
}

}  // namespace holdfast
