#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

namespace holdfast::bench {

struct FreeTls {
  void operator()(SSL* tls) const { SSL_free(tls); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using UniqueTls = std::unique_ptr<SSL, FreeTls>;
using UniqueTlsSession = std::unique_ptr<SSL_SESSION, FreeTls>;

// What all connections of a client have in common: one version of TLS, and one choice of everything
// that may be chosen (X25519, AES-128-GCM), so that every server does the same cryptography. The
// server's certificate is not looked up anywhere; that it has the key is checked as always.
// Thread: one, together with its connections.
class TlsContext final {
 public:
  // version: "1.2" or "1.3". alpn: the protocol that is asked for. Source: RFC 7301.
  TlsContext(std::string_view version, std::string_view alpn);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // A client's end on a connected socket, which stays the caller's. Its buffers are given back when
  // they are empty.
  [[nodiscard]] UniqueTls open(int fd) const;

 private:
  std::unique_ptr<SSL_CTX, FreeTls> context_;
};

// Whatever the server gives to resume the session by is put into `place`, newest last, until the
// connection is freed. Source: SSL_CTX_sess_set_new_cb(3ssl).
void keep_session_in(SSL& tls, UniqueTlsSession& place);

// What OpenSSL has to say of the call that has just failed, in one line; empties its queue.
[[nodiscard]] std::string tls_error_text();

}  // namespace holdfast::bench
