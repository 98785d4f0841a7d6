#pragma once

#include <string>
#include <string_view>

#include "common/openssl_handles.h"

namespace holdfast::bench {

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
  [[nodiscard]] SslHandle open(int fd) const;

 private:
  SslContextHandle context_;
};

// Whatever the server gives to resume the session by is put into `place`, newest last, until the
// connection is freed. Source: SSL_CTX_sess_set_new_cb(3ssl).
void keep_session_in(SSL& tls, SslSessionHandle& place);

// What OpenSSL has to say of the call that has just failed, in one line; empties its queue.
[[nodiscard]] std::string tls_error_text();

}  // namespace holdfast::bench
