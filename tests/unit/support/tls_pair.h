#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/openssl_handles.h"
#include "tests/unit/support/certificates.h"

// A client and a server that shake hands in memory.
namespace holdfast::test {

struct ClientWish {
  std::string server_name = {};
  std::vector<std::string> alpn = {};
  const Identity* identity = nullptr;
  SSL_SESSION* session = nullptr;
  int version = 0;  // 0: whatever both speak
  const char* tls12_ciphers = nullptr;
  const char* tls13_ciphers = nullptr;
  const char* signatures = nullptr;
  bool wants_status = false;
};

class TlsPair final {
 public:
  // Shakes hands as far as it goes.
  TlsPair(SSL_CTX* server, const ClientWish& wish);
  // Without a goodbye OpenSSL would let no session of it be resumed.
  ~TlsPair() { SSL_set_shutdown(client(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }
  TlsPair(const TlsPair&) = delete;
  TlsPair& operator=(const TlsPair&) = delete;

  bool is_done() const { return is_done_; }
  SSL* server() const { return server_.get(); }
  SSL* client() const { return client_.get(); }
  // Why a side gave up: OpenSSL's reason codes, 0 where it did not.
  int server_failure() const { return server_failure_; }
  int client_failure() const { return client_failure_; }

  std::string server_common_name() const;  // of the certificate that the client got
  std::string alpn() const;                // agreed on
  std::string cipher() const;
  std::string status_response() const;
  bool is_resumed() const { return SSL_session_reused(server()) == 1; }
  SslSessionHandle session() const { return SslSessionHandle(SSL_get1_session(client())); }
  // What the client would show to resume.
  std::string ticket() const;

 private:
  SslContextHandle client_context_;
  SslHandle client_;
  SslHandle server_;
  int server_failure_ = 0;
  int client_failure_ = 0;
  bool is_done_ = false;
};

}  // namespace holdfast::test
