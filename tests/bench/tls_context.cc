#include "tests/bench/tls_context.h"

#include <openssl/err.h>

#include <array>
#include <vector>

#include "common/check.h"

namespace holdfast::bench {
namespace {

// What every implementation of TLS 1.3 has; of TLS 1.2 the same cipher. Source: RFC 8446, 9.1.
constexpr const char* kCipher13 = "TLS_AES_128_GCM_SHA256";
constexpr const char* kCipher12 = "ECDHE-ECDSA-AES128-GCM-SHA256";
// The first is the one; in TLS 1.2 the certificate's curve must be among them. Source: RFC 8422,
// 5.1.
constexpr const char* kGroups = "X25519:P-256";

// One is told of every ticket, and returns 1 to keep it.
int on_new_session(SSL* tls, SSL_SESSION* session) {
  auto* place = static_cast<SslSessionHandle*>(SSL_get_app_data(tls));
  if (place == nullptr) return 0;
  place->reset(session);
  return 1;
}

// A length byte before the name. Source: SSL_CTX_set_alpn_protos(3ssl).
std::vector<unsigned char> alpn_list(std::string_view alpn) {
  std::vector<unsigned char> list{static_cast<unsigned char>(alpn.size())};
  list.insert(list.end(), alpn.begin(), alpn.end());
  return list;
}

}  // namespace

TlsContext::TlsContext(std::string_view version, std::string_view alpn)
    : context_(SSL_CTX_new(TLS_client_method())) {
  SSL_CTX* const context = context_.get();
  HF_CHECK(context != nullptr);
  const int number = version == "1.2" ? TLS1_2_VERSION : TLS1_3_VERSION;
  HF_CHECK(SSL_CTX_set_min_proto_version(context, number) == 1);
  HF_CHECK(SSL_CTX_set_max_proto_version(context, number) == 1);
  HF_CHECK(SSL_CTX_set_ciphersuites(context, kCipher13) == 1);
  HF_CHECK(SSL_CTX_set_cipher_list(context, kCipher12) == 1);
  HF_CHECK(SSL_CTX_set1_groups_list(context, kGroups) == 1);
  const std::vector<unsigned char> list = alpn_list(alpn);
  HF_CHECK(SSL_CTX_set_alpn_protos(context, list.data(), static_cast<unsigned>(list.size())) == 0);
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
  // A record in one call to the system, not its head and its body in two.
  SSL_CTX_set_read_ahead(context, 1);
  // A server that just closes is none to complain of.
  SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_sess_set_new_cb(context, on_new_session);
}

SslHandle TlsContext::open(int fd) const {
  SslHandle tls(SSL_new(context_.get()));
  HF_CHECK(tls != nullptr && SSL_set_fd(tls.get(), fd) == 1);
  SSL_set_connect_state(tls.get());
  return tls;
}

void keep_session_in(SSL& tls, SslSessionHandle& place) { SSL_set_app_data(&tls, &place); }

std::string tls_error_text() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "the connection ended";
  std::array<char, 256> text{};
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

}  // namespace holdfast::bench
