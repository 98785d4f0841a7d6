#pragma once

#include "common/status.h"
#include "gateway/net/tls_secret.h"

namespace holdfast {

// The secrets that a handshake of TLS 1.3 ends with, for the records behind it.
struct Tls13Secrets {
  TlsSecret client;
  TlsSecret server;
};

// Where the secrets of TLS 1.3 can be had while OpenSSL derives them. OpenSSL lets a provider stand
// in for each of its algorithms: this one stands in for the key derivation of TLS 1.3 and keeps two
// of the results. What a handshake asks for it does itself, with hashes that are set up already
// (OpenSSL looks its own up each time), and leaves everything else to OpenSSL. The key log, the usual
// way to the secrets, writes five of them in hexadecimal by a call of sprintf a byte, which shows in
// every profile of handshakes.
// Thread: load() before any other; a TlsSecretTap belongs to the thread that made it.
class TlsSecretTap final {
 public:
  // What an SSL_CTX must ask for (SSL_CTX_new_ex) so that its handshakes are heard.
  static constexpr const char* kProperties = "?provider=holdfast";

  // Makes the provider known to OpenSSL, once in a process. Fails when OpenSSL's configuration wants
  // another provider than its default one (FIPS).
  [[nodiscard]] static Status load();

  // While it lives: what this thread's handshake derives goes to `secrets`. One at a time.
  explicit TlsSecretTap(Tls13Secrets& secrets);
  TlsSecretTap(const TlsSecretTap&) = delete;
  TlsSecretTap& operator=(const TlsSecretTap&) = delete;
  ~TlsSecretTap();
};

}  // namespace holdfast
