#include "tests/unit/tools/conn_flood/tls_server.h"

#include "common/check.h"
#include "tests/unit/support/certificates.h"

namespace holdfast::flood {
void CertificateFolder::make(const std::string& name) const {
  // Of a server and of a client: no use is named.
  const test::Identity identity = test::make_identity(
      {.common_name = name, .alt_names = {"DNS:localhost", "IP:127.0.0.1"}, .usage = nullptr});
  folder_.write(name + ".pem", identity.pem());
  folder_.write(name + ".key", identity.key_pem());
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
