#pragma once

#include <filesystem>
#include <memory>

#include "gateway/net/tls_context.h"
#include "tests/unit/support/certificates.h"

namespace holdfast::test {

// A folder with a server's certificate and key for the length of a test.
class TlsFiles final {
 public:
  TlsFiles();
  TlsFiles(const TlsFiles&) = delete;
  TlsFiles& operator=(const TlsFiles&) = delete;
  ~TlsFiles();

  // One that handshakes can use.
  std::shared_ptr<const TlsContext> context() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace holdfast::test
