#include "tests/unit/tools/conn_flood/tls_server.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <cstdio>
#include <string_view>

#include "common/check.h"

namespace holdfast::flood {
namespace {

constexpr long kDayS = 86400;

using Key = std::unique_ptr<EVP_PKEY, OpenSslDeleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, OpenSslDeleter<X509_free>>;
using File = std::unique_ptr<std::FILE, OpenSslDeleter<std::fclose>>;

void add_extension(X509* certificate, int kind, const char* value) {
  const std::unique_ptr<X509_EXTENSION, OpenSslDeleter<X509_EXTENSION_free>> extension(
      X509V3_EXT_conf_nid(nullptr, nullptr, kind, value));
  HF_CHECK(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1);
}

Certificate self_signed(EVP_PKEY* key, const std::string& name) {
  Certificate certificate(X509_new());
  X509_set_version(certificate.get(), X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kDayS);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kDayS);
  X509_set_pubkey(certificate.get(), key);
  X509_NAME* subject = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>(name.c_str());
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0);
  X509_set_issuer_name(certificate.get(), subject);
  add_extension(certificate.get(), NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1");
  HF_CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  return certificate;
}

File open_to_write(const std::string& name) {
  File file(std::fopen(name.c_str(), "w"));
  HF_CHECK(file != nullptr);
  return file;
}

}  // namespace

CertificateFolder::CertificateFolder() {
  std::string name = (std::filesystem::temp_directory_path() / "tls_client_test.XXXXXX").string();
  HF_CHECK(::mkdtemp(name.data()) != nullptr);
  folder_ = name;
}

CertificateFolder::~CertificateFolder() { std::filesystem::remove_all(folder_); }

void CertificateFolder::make(const std::string& name) const {
  const Key key(EVP_EC_gen("P-256"));
  HF_CHECK(key != nullptr);
  const Certificate certificate = self_signed(key.get(), name);
  const File pem = open_to_write(file(name + ".pem"));
  HF_CHECK(PEM_write_X509(pem.get(), certificate.get()) == 1);
  const File secret = open_to_write(file(name + ".key"));
  HF_CHECK(PEM_write_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) ==
           1);
}

TlsServerContext::TlsServerContext(const CertificateFolder& folder, const std::string& name,
                                   const std::string& client_ca)
    : context_(SSL_CTX_new(TLS_server_method())) {
  const std::string certificate = folder.file(name + ".pem");
  const std::string key = folder.file(name + ".key");
  HF_CHECK(SSL_CTX_use_certificate_chain_file(get(), certificate.c_str()) == 1);
  HF_CHECK(SSL_CTX_use_PrivateKey_file(get(), key.c_str(), SSL_FILETYPE_PEM) == 1);
  SSL_CTX_set_mode(get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // Without it a server that verifies resumes no session.
  HF_CHECK(SSL_CTX_set_session_id_context(get(), reinterpret_cast<const unsigned char*>("test"),
                                          4) == 1);
  if (client_ca.empty()) return;
  HF_CHECK(SSL_CTX_load_verify_file(get(), folder.file(client_ca).c_str()) == 1);
  SSL_CTX_set_verify(get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
}

TlsServer::TlsServer(const TlsServerContext& context, int fd) : ssl_(SSL_new(context.get())) {
  HF_CHECK(ssl_ != nullptr && SSL_set_fd(ssl_.get(), fd) == 1);
  SSL_set_accept_state(ssl_.get());
}

int TlsServer::accept() {
  ERR_clear_error();
  const int result = SSL_accept(ssl_.get());
  ERR_clear_error();
  return result;
}

}  // namespace holdfast::flood
