#include "tests/unit/support/tls_files.h"

#include "common/check.h"
#include "gateway/net/ticket_keys.h"
#include "tests/unit/support/certificates.h"

namespace holdfast::test {

TlsFiles::TlsFiles() {
  const Identity authority = make_authority("Test CA");
  const Identity server =
      make_identity({.common_name = "localhost", .alt_names = {"DNS:localhost"}}, &authority);
  folder_.write("server.pem", server.pem());
  folder_.write("server.key", server.key_pem());
}

std::shared_ptr<const TlsContext> TlsFiles::context() const {
  TlsContextSettings settings;
  settings.certificates = {{folder_.path() / "server.pem", folder_.path() / "server.key", {}}};
  Result<std::shared_ptr<TicketKeys>> keys = TicketKeys::make();
  HF_CHECK(keys.is_ok());
  Result<std::shared_ptr<const TlsContext>> context =
      TlsContext::load(settings, std::move(keys.value()));
  HF_CHECK(context.is_ok());
  return context.value();
}

}  // namespace holdfast::test
