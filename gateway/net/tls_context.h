#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/openssl_handles.h"
#include "common/status.h"
#include "gateway/net/ticket_keys.h"
#include "gateway/net/tls_certificate.h"
#include "gateway/net/tls_policy.h"

namespace holdfast {

// What a listener's TLS is made of. No certificates: there is none.
struct TlsContextSettings {
  std::vector<TlsCertificateFiles> certificates;  // the first is for who asks for no known name
  std::filesystem::path client_ca;                // PEM; read unless client_auth is kOff
  TlsClientAuth client_auth = TlsClientAuth::kOff;
  DeviceIdSource device_id_source = DeviceIdSource::kAny;
  std::vector<std::string> alpn;  // what the listener speaks, preferred first; empty: not answered

  bool operator==(const TlsContextSettings&) const = default;
};

// A loaded certificate, for metrics and warnings.
struct TlsCertificateInfo {
  std::string file;
  std::string names;      // what SNI may ask it by, with commas between
  int64_t expires_s = 0;  // since 1970

  bool operator==(const TlsCertificateInfo&) const = default;
};

// Everything of a listener's TLS that is read from files: certificates chosen by name, the policy
// for clients' certificates, ciphers, ALPN, stapled OCSP responses, tickets.
// Thread: any; nothing in it changes but the ticket keys, which see to themselves.
// Lifetime: whoever shakes hands by native() holds the context until the handshake is over.
class TlsContext final {
 public:
  // How long a ticket can be used; each use gives a new one.
  static constexpr long kTicketLifetimeS = 7200;

  // Reads all files anew. `settings` has a certificate. An error is one line that names the file
  // and says what mends it.
  static Result<std::shared_ptr<const TlsContext>> load(const TlsContextSettings& settings,
                                                        std::shared_ptr<TicketKeys> ticket_keys);
  TlsContext(const TlsContext&) = delete;
  TlsContext& operator=(const TlsContext&) = delete;

  // What a handshake begins with: the first certificate's. SNI exchanges it for another's.
  SSL_CTX* native() const { return served_.front().context.get(); }

  // After a handshake, a resumed one too: the client is still who the policy admits. A ticket
  // brings back the certificate of the first handshake, which may have run out since.
  bool still_admits(const SSL* ssl) const;

  // Every key signs within a fraction of a millisecond: elliptic curves of 256 bits. RSA does not.
  bool signs_quickly() const { return signs_quickly_; }
  bool asks_for_certificates() const { return client_auth_ != TlsClientAuth::kOff; }

  // HELLO's id must be one of device_names(), if the client has shown a certificate.
  bool checks_device_id() const {
    return asks_for_certificates() && device_id_source_ != DeviceIdSource::kNone;
  }
  std::vector<std::string> device_names(const X509& certificate) const;

  // In the order of the settings.
  const std::vector<TlsCertificateInfo>& certificates() const { return certificates_; }

 private:
  using SessionContext = std::array<unsigned char, 32>;
  // One SSL_CTX, with the certificates of one set of names: at most one of each kind of key.
  struct Served {
    SslContextHandle context;
    std::vector<std::string> names;
    std::vector<int> key_kinds;
  };
  struct Staple {
    const X509* certificate;  // owned by its SSL_CTX
    OcspStaple staple;
  };

  TlsContext(const TlsContextSettings& settings, std::shared_ptr<TicketKeys> ticket_keys);

  Status load_client_ca(const std::filesystem::path& file);
  Status add_certificate(const TlsCertificateFiles& files);
  Result<SSL_CTX*> place_for(const TlsCertificate& certificate, const TlsCertificateFiles& files);
  Result<SslContextHandle> make_native();
  void ask_for_certificates(SSL_CTX* native);
  SSL_CTX* find(std::string_view server_name) const;

  static const TlsContext& of(SSL* ssl);
  static int on_server_name(SSL* ssl, int* alert, void* self);
  static int on_alpn(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes,
                     const unsigned char* offered, unsigned int offered_bytes, void* self);
  static int on_status_request(SSL* ssl, void* self);
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                       EVP_MAC_CTX* mac, int is_sealing);

  const TlsClientAuth client_auth_;
  const DeviceIdSource device_id_source_;
  const std::shared_ptr<TicketKeys> ticket_keys_;
  bool signs_quickly_ = true;
  std::string alpn_;  // each name behind its length, as a client sends them
  CertificateStore client_ca_;
  std::vector<CertificateHandle> client_ca_certificates_;
  SessionContext session_context_{};
  std::vector<Served> served_;
  std::map<std::string, SSL_CTX*, std::less<>> by_name_;
  std::vector<Staple> staples_;
  std::vector<TlsCertificateInfo> certificates_;
};

}  // namespace holdfast
