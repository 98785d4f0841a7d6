#include "tests/unit/support/tls_files.h"

#include <stdlib.h>
#include <sys/stat.h>

#include <fstream>
#include <string>

#include "common/check.h"
#include "gateway/net/ticket_keys.h"

namespace holdfast::test {
namespace {

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "holdfast-tls-XXXXXX").string();
  HF_CHECK(::mkdtemp(name.data()) != nullptr);
  return name;
}

void write_private(const std::filesystem::path& file, const std::string& text) {
  std::ofstream(file) << text;
  HF_CHECK(::chmod(file.c_str(), 0600) == 0);
}

}  // namespace

TlsFiles::TlsFiles() : folder_(make_folder()) {
  const Identity authority = make_authority("Test CA");
  const Identity server =
      make_identity({.common_name = "localhost", .alt_names = {"DNS:localhost"}}, &authority);
  write_private(folder_ / "server.pem", server.pem());
  write_private(folder_ / "server.key", server.key_pem());
}

TlsFiles::~TlsFiles() { std::filesystem::remove_all(folder_); }

std::shared_ptr<const TlsContext> TlsFiles::context() const {
  TlsContextSettings settings;
  settings.certificates = {{folder_ / "server.pem", folder_ / "server.key", {}}};
  Result<std::shared_ptr<TicketKeys>> keys = TicketKeys::make();
  HF_CHECK(keys.is_ok());
  Result<std::shared_ptr<const TlsContext>> context =
      TlsContext::load(settings, std::move(keys.value()));
  HF_CHECK(context.is_ok());
  return context.value();
}

}  // namespace holdfast::test
