#pragma once

#include <string>

#include "tests/unit/support/temporary_folder.h"
#include "tools/conn_flood/tls_client.h"

// What a TlsLink is tested against: files with certificates, and OpenSSL as a server.
namespace holdfast::flood {

// A folder with certificates that sign themselves, for localhost and 127.0.0.1; gone with it.
class CertificateFolder final {
 public:
  // Writes NAME.pem and NAME.key.
  void make(const std::string& name) const;
  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

 private:
  test::ScratchFolder folder_;
};

// The server's settings, for as many connections as a test makes.
class TlsServerContext final {
 public:
  // Presents NAME.pem. With `client_ca` (a file's name) a client has to present one of its issue.
  TlsServerContext(const CertificateFolder& folder, const std::string& name,
                   const std::string& client_ca = "");
  SSL_CTX* get() const { return context_.get(); }

 private:
  SslContextHandle context_;
};

// The server's end of one connection, over a socket that another owns.
class TlsServer final {
 public:
  TlsServer(const TlsServerContext& context, int fd);
  // One step; the result of SSL_accept(3).
  int accept();
  SSL* get() const { return ssl_.get(); }

 private:
  SslHandle ssl_;
};

}  // namespace holdfast::flood
