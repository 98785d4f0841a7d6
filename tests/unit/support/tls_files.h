#pragma once

#include <memory>

#include "gateway/net/tls_context.h"
#include "tests/unit/support/temporary_folder.h"

namespace holdfast::test {

// A folder with a server's certificate and key for the length of a test.
class TlsFiles final {
 public:
  TlsFiles();

  // One that handshakes can use.
  std::shared_ptr<const TlsContext> context() const;

 private:
  ScratchFolder folder_;
};

}  // namespace holdfast::test
