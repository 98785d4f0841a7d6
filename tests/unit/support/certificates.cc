#include "tests/unit/support/certificates.h"

#include <openssl/pem.h>
#include <openssl/rand.h>
#include <time.h>

#include <memory>

#include "common/check.h"

namespace holdfast::test {
namespace {

KeyHandle make_key(KeyKind kind) {
  EVP_PKEY* key = nullptr;
  switch (kind) {
    case KeyKind::kP256:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256");
      break;
    case KeyKind::kSecp256k1:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "secp256k1");
      break;
    case KeyKind::kRsa2048:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{2048});
      break;
    case KeyKind::kRsa1024:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", size_t{1024});
      break;
    case KeyKind::kEd25519:
      key = EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
      break;
  }
  HF_CHECK(key != nullptr);
  return KeyHandle(key);
}

std::string text_of(BIO* written) {
  char* bytes = nullptr;
  const long count = BIO_get_mem_data(written, &bytes);
  return {bytes, static_cast<size_t>(count)};
}

void add_extension(X509* certificate, int kind, const std::string& text) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, text.c_str());
  HF_CHECK(extension != nullptr && X509_add_ext(certificate, extension, -1) == 1);
  X509_EXTENSION_free(extension);
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (const std::string& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

const EVP_MD* digest_for(const EVP_PKEY* key) {
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? nullptr : EVP_sha256();
}

}  // namespace

std::string Identity::pem() const {
  const BioHandle out(BIO_new(BIO_s_mem()));
  HF_CHECK(PEM_write_bio_X509(out.get(), certificate.get()) == 1);
  return text_of(out.get());
}

std::string Identity::key_pem() const {
  const BioHandle out(BIO_new(BIO_s_mem()));
  HF_CHECK(PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
           1);
  return text_of(out.get());
}

std::string Identity::encrypted_key_pem() const {
  const BioHandle out(BIO_new(BIO_s_mem()));
  const unsigned char password[] = "password";
  HF_CHECK(PEM_write_bio_PrivateKey(out.get(), key.get(), EVP_aes_128_cbc(), password, 8, nullptr,
                                    nullptr) == 1);
  return text_of(out.get());
}

Identity make_identity(const Wish& wish, const Identity* issuer) {
  Identity made{CertificateHandle(X509_new()), make_key(wish.key)};
  X509* const certificate = made.certificate.get();
  uint32_t serial = 0;
  HF_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1);
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), uint64_t{serial} + 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), wish.from_s);
  X509_gmtime_adj(X509_getm_notAfter(certificate), wish.to_s);
  X509_set_pubkey(certificate, made.key.get());
  X509_NAME* const subject = X509_get_subject_name(certificate);
  if (!wish.common_name.empty()) {
    X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(wish.common_name.data()),
                               static_cast<int>(wish.common_name.size()), -1, 0);
  }
  const Identity& signer = issuer != nullptr ? *issuer : made;
  X509_set_issuer_name(certificate, X509_get_subject_name(signer.certificate.get()));
  add_extension(certificate, NID_basic_constraints,
                wish.is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (wish.usage != nullptr && !wish.is_authority) {
    add_extension(certificate, NID_ext_key_usage, wish.usage);
  }
  if (!wish.alt_names.empty()) {
    add_extension(certificate, NID_subject_alt_name, joined(wish.alt_names));
  }
  HF_CHECK(X509_sign(certificate, signer.key.get(), digest_for(signer.key.get())) > 0);
  return made;
}

Identity make_authority(const std::string& name) {
  return make_identity({.common_name = name, .is_authority = true});
}

std::string make_ocsp_response(const Identity& subject, const Identity& issuer,
                               const OcspWish& wish) {
  OCSP_BASICRESP* const basic = OCSP_BASICRESP_new();
  OCSP_CERTID* const id =
      OCSP_cert_to_id(EVP_sha1(), subject.certificate.get(), issuer.certificate.get());
  const auto time_at = [](int64_t from_now_s) {
    return ASN1_TIME_adj(nullptr, ::time(nullptr), 0, static_cast<long>(from_now_s));
  };
  const auto generalized = [](ASN1_TIME* time) {
    ASN1_GENERALIZEDTIME* const made = ASN1_TIME_to_generalizedtime(time, nullptr);
    ASN1_TIME_free(time);
    return made;
  };
  ASN1_GENERALIZEDTIME* const from = generalized(time_at(wish.from_s));
  ASN1_GENERALIZEDTIME* const to = generalized(time_at(wish.to_s));
  const bool is_revoked = wish.verdict == V_OCSP_CERTSTATUS_REVOKED;
  HF_CHECK(OCSP_basic_add1_status(basic, id, wish.verdict, OCSP_REVOKED_STATUS_NOSTATUS,
                                  is_revoked ? from : nullptr, from, to) != nullptr);
  HF_CHECK(OCSP_basic_sign(basic, issuer.certificate.get(), issuer.key.get(), EVP_sha256(), nullptr,
                           0) == 1);
  OCSP_RESPONSE* const response = OCSP_response_create(wish.outcome, basic);
  unsigned char* bytes = nullptr;
  const int count = i2d_OCSP_RESPONSE(response, &bytes);
  HF_CHECK(count > 0);
  std::string der(reinterpret_cast<char*>(bytes), static_cast<size_t>(count));
  OPENSSL_free(bytes);
  OCSP_RESPONSE_free(response);
  OCSP_BASICRESP_free(basic);
  OCSP_CERTID_free(id);
  ASN1_GENERALIZEDTIME_free(from);
  ASN1_GENERALIZEDTIME_free(to);
  return der;
}

}  // namespace holdfast::test
