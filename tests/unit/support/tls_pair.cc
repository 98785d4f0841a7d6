#include "tests/unit/support/tls_pair.h"

#include "common/check.h"
#include "gateway/net/certificate_names.h"

namespace holdfast::test {
namespace {

std::string wire_of(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) wire += static_cast<char>(name.size()) + name;
  return wire;
}

SslContextHandle client_context(const ClientWish& wish) {
  SslContextHandle context(SSL_CTX_new(TLS_client_method()));
  // A session in a cache can be resumed no more once the cache has gone.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  // What a test offers is for the server to refuse.
  SSL_CTX_set_security_level(context.get(), 0);
  if (wish.version != 0) {
    HF_CHECK(SSL_CTX_set_min_proto_version(context.get(), wish.version) == 1 &&
             SSL_CTX_set_max_proto_version(context.get(), wish.version) == 1);
  }
  if (wish.identity != nullptr) {
    HF_CHECK(SSL_CTX_use_cert_and_key(context.get(), wish.identity->certificate.get(),
                                      wish.identity->key.get(), nullptr, 1) == 1);
  }
  return context;
}

void apply(const ClientWish& wish, SSL* client) {
  if (wish.tls12_ciphers != nullptr) {
    HF_CHECK(SSL_set_cipher_list(client, wish.tls12_ciphers) == 1);
  }
  if (wish.tls13_ciphers != nullptr) {
    HF_CHECK(SSL_set_ciphersuites(client, wish.tls13_ciphers) == 1);
  }
  if (wish.signatures != nullptr) HF_CHECK(SSL_set1_sigalgs_list(client, wish.signatures) == 1);
  if (!wish.server_name.empty()) {
    HF_CHECK(SSL_set_tlsext_host_name(client, wish.server_name.c_str()) == 1);
  }
  if (!wish.alpn.empty()) {
    const std::string wire = wire_of(wish.alpn);
    HF_CHECK(SSL_set_alpn_protos(client, reinterpret_cast<const unsigned char*>(wire.data()),
                                 static_cast<unsigned int>(wire.size())) == 0);
  }
  if (wish.wants_status) {
    HF_CHECK(SSL_set_tlsext_status_type(client, TLSEXT_STATUSTYPE_ocsp) == 1);
  }
  if (wish.session != nullptr) HF_CHECK(SSL_set_session(client, wish.session) == 1);
}

// True when there is nothing more to do for now; `failure` says why there never will be.
bool step(SSL* ssl, int& failure) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl);
  if (result == 1) return true;
  const int error = SSL_get_error(ssl, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return false;
  failure = ERR_GET_REASON(ERR_peek_last_error());
  if (failure == 0) failure = -1;
  ERR_clear_error();
  return true;
}

// Takes in tickets, or the alert that a server sends once a client of TLS 1.3 thinks it is done.
void read_on(SSL* client, int& failure) {
  char byte = 0;
  ERR_clear_error();
  const int result = SSL_read(client, &byte, 1);
  if (SSL_get_error(client, result) == SSL_ERROR_SSL) {
    failure = ERR_GET_REASON(ERR_peek_last_error());
  }
  ERR_clear_error();
}

}  // namespace

TlsPair::TlsPair(SSL_CTX* server, const ClientWish& wish)
    : client_context_(client_context(wish)),
      client_(SSL_new(client_context_.get())),
      server_(SSL_new(server)) {
  constexpr size_t kRoomBytes = 65'536;
  BIO* client_end = nullptr;
  BIO* server_end = nullptr;
  HF_CHECK(BIO_new_bio_pair(&client_end, kRoomBytes, &server_end, kRoomBytes) == 1);
  SSL_set_bio(client_.get(), client_end, client_end);
  SSL_set_bio(server_.get(), server_end, server_end);
  SSL_set_connect_state(client_.get());
  SSL_set_accept_state(server_.get());
  apply(wish, client_.get());
  bool is_client_done = false;
  bool is_server_done = false;
  for (int round = 0; round < 10 && !(is_client_done && is_server_done); ++round) {
    if (!is_client_done) is_client_done = step(client_.get(), client_failure_);
    if (!is_server_done) is_server_done = step(server_.get(), server_failure_);
  }
  if (client_failure_ == 0) read_on(client_.get(), client_failure_);
  is_done_ = is_client_done && is_server_done && client_failure_ == 0 && server_failure_ == 0;
}

std::string TlsPair::server_common_name() const {
  const X509* const certificate = SSL_get0_peer_certificate(client());
  if (certificate == nullptr) return "none";
  const std::vector<std::string> names = common_names(*certificate);
  return names.empty() ? "" : names.front();
}

std::string TlsPair::alpn() const {
  const unsigned char* name = nullptr;
  unsigned int bytes = 0;
  SSL_get0_alpn_selected(client(), &name, &bytes);
  return {reinterpret_cast<const char*>(name), bytes};
}

std::string TlsPair::cipher() const { return SSL_get_cipher_name(client()); }

std::string TlsPair::status_response() const {
  const unsigned char* der = nullptr;
  const long bytes = SSL_get_tlsext_status_ocsp_resp(client(), &der);
  return bytes <= 0 ? ""
                    : std::string(reinterpret_cast<const char*>(der), static_cast<size_t>(bytes));
}

std::string TlsPair::ticket() const {
  const unsigned char* bytes = nullptr;
  size_t count = 0;
  SSL_SESSION_get0_ticket(SSL_get_session(client()), &bytes, &count);
  return {reinterpret_cast<const char*>(bytes), count};
}

}  // namespace holdfast::test
