#include "tools/conn_flood/tls_client.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <utility>

#include "common/check.h"

namespace holdfast::flood {
namespace {

constexpr std::string_view kDeviceMark = "{id}";
// Source: RFC 7301, 3.1: names with their length before them.
constexpr std::array<unsigned char, 11> kProtocols = {10,  'h', 'o', 'l', 'd', 'f',
                                                      'a', 's', 't', '/', '1'};

// OpenSSL would ask on the terminal for the passphrase of a key, and stop the flood for it.
int refuse_passphrase(char*, int, int, void*) { return -1; }

// The first error in the queue, which is the cause of the others. Leaves the queue empty.
unsigned long take_first_error() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  return error;
}

Status file_error(std::string_view option, const std::string& file) {
  const TlsFailure failure{TlsFailureKind::kProtocolError,
                           static_cast<uint32_t>(take_first_error())};
  return Status::error(std::string(option) + ": cannot load " + file + ": " + explain(failure));
}

void limit_version(SSL_CTX* context, TlsVersion version) {
  const int lowest = version == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION;
  const int highest = version == TlsVersion::k12 ? TLS1_2_VERSION : TLS1_3_VERSION;
  HF_CHECK(SSL_CTX_set_min_proto_version(context, lowest) == 1);
  HF_CHECK(SSL_CTX_set_max_proto_version(context, highest) == 1);
}

}  // namespace

std::string file_of_device(std::string_view pattern, std::string_view device_id) {
  std::string file(pattern);
  for (size_t at = file.find(kDeviceMark); at != std::string::npos;
       at = file.find(kDeviceMark, at + device_id.size())) {
    file.replace(at, kDeviceMark.size(), device_id);
  }
  return file;
}

TlsClientContext::TlsClientContext(const TlsOptions& options)
    : options_(options), context_(SSL_CTX_new(TLS_client_method())) {
  HF_CHECK(context_ != nullptr);
  SSL_CTX* context = context_.get();
  limit_version(context, options.version);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // A gateway that dies sends no close_notify: that is an end like any other, and its ticket stays
  // good.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // One read(2) for a record instead of one for its head and one for its body.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_passwd_cb(context, refuse_passphrase);
  SSL_CTX_set_verify(context, is_verifying() ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  HF_CHECK(SSL_CTX_set_alpn_protos(context, kProtocols.data(), kProtocols.size()) == 0);
  if (options.resumes) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &TlsLink::on_new_ticket);
  } else {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  }
}

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::create(
    const TlsOptions& options, std::string_view first_device_id) {
  std::unique_ptr<TlsClientContext> made(new TlsClientContext(options));
  Status loaded = made->load_files(first_device_id);
  if (!loaded.is_ok()) return loaded;
  return made;
}

bool TlsClientContext::has_files_per_device() const {
  return options_.cert_file.find(kDeviceMark) != std::string::npos ||
         options_.key_file.find(kDeviceMark) != std::string::npos;
}

Status TlsClientContext::load_files(std::string_view first_device_id) {
  ERR_clear_error();
  SSL_CTX* context = context_.get();
  if (is_verifying() && SSL_CTX_load_verify_file(context, options_.ca_file.c_str()) != 1) {
    return file_error("--ca", options_.ca_file);
  }
  if (options_.cert_file.empty()) return Status::ok();

  const std::string cert_file = file_of_device(options_.cert_file, first_device_id);
  const std::string key_file = file_of_device(options_.key_file, first_device_id);
  if (SSL_CTX_use_certificate_chain_file(context, cert_file.c_str()) != 1) {
    return file_error("--cert", cert_file);
  }
  if (SSL_CTX_use_PrivateKey_file(context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return file_error("--key", key_file);
  }
  return Status::ok();
}

TlsLink::TlsLink(const TlsClientContext& context, int fd)
    : context_(context), ssl_(SSL_new(context.context_.get())) {
  HF_CHECK(ssl_ != nullptr);
  HF_CHECK(SSL_set_fd(ssl_.get(), fd) == 1);
  SSL_set_app_data(ssl_.get(), this);
  SSL_set_connect_state(ssl_.get());
}

// OpenSSL spoils the ticket of a connection that ends without close_notify. Source: SSL_free(3) and
// SSL_set_shutdown(3).
TlsLink::~TlsLink() { SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); }

bool TlsLink::prepare(const Address& target, std::string_view device_id, TlsTicket ticket) {
  ERR_clear_error();
  if (context_.has_files_per_device() && !load_own_files(device_id)) return false;
  name_server(target);
  if (ticket == nullptr) return true;
  has_offered_ticket_ = SSL_set_session(ssl_.get(), ticket.get()) == 1;
  if (has_offered_ticket_) offered_ = std::move(ticket);
  ERR_clear_error();
  return true;
}

bool TlsLink::load_own_files(std::string_view device_id) {
  const std::string cert_file = file_of_device(context_.options_.cert_file, device_id);
  const std::string key_file = file_of_device(context_.options_.key_file, device_id);
  if (SSL_use_certificate_chain_file(ssl_.get(), cert_file.c_str()) == 1 &&
      SSL_use_PrivateKey_file(ssl_.get(), key_file.c_str(), SSL_FILETYPE_PEM) == 1) {
    return true;
  }
  failure_ = {TlsFailureKind::kOwnFiles, static_cast<uint32_t>(take_first_error())};
  return false;
}

// An address is no server name. Source: RFC 6066, 3.
void TlsLink::name_server(const Address& target) {
  const std::string& given = context_.options_.server_name;
  const bool is_name = !given.empty() && !Address::parse_host(given).is_ok();
  if (is_name) HF_CHECK(SSL_set_tlsext_host_name(ssl_.get(), given.c_str()) == 1);
  if (!context_.is_verifying()) return;
  if (is_name) {
    HF_CHECK(SSL_set1_host(ssl_.get(), given.c_str()) == 1);
    return;
  }
  const std::string host = given.empty() ? target.host_text() : given;
  HF_CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host.c_str()) == 1);
}

IoStatus TlsLink::shake_hands() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result != 1) return status_of(result);
  can_say_close_ = true;
  // In TLS 1.2 a ticket is good again unless the server sent another; in TLS 1.3 none is, and the
  // server's come later. Source: RFC 5077, 3.3; RFC 8446, C.4.
  if (ticket_ == nullptr && is_resumed() && version() < TLS1_3_VERSION) {
    ticket_ = std::move(offered_);
  }
  offered_.reset();
  return IoStatus::kDone;
}

IoResult TlsLink::read(std::span<std::byte> bytes) {
  ERR_clear_error();
  size_t count = 0;
  const int result = SSL_read_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
  if (result == 1) return {IoStatus::kDone, count};
  return {status_of(result), 0};
}

IoResult TlsLink::write(std::span<const std::byte> bytes) {
  ERR_clear_error();
  size_t count = 0;
  const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count);
  // Until the blocked record has left, nothing else may follow.
  can_say_close_ = result == 1;
  if (result == 1) return {IoStatus::kDone, count};
  return {status_of(result), 0};
}

void TlsLink::say_close() {
  if (!can_say_close_) return;
  can_say_close_ = false;
  ERR_clear_error();
  SSL_shutdown(ssl_.get());
  ERR_clear_error();
}

// WANT_WRITE in a read (the answer to a KeyUpdate) and WANT_READ in a write are kBlocked too: the
// caller tries both again at whatever event comes.
IoStatus TlsLink::status_of(int result) {
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return IoStatus::kBlocked;
  if (error == SSL_ERROR_ZERO_RETURN) return IoStatus::kEof;
  can_say_close_ = false;
  if (error == SSL_ERROR_SYSCALL) {
    ERR_clear_error();
    return IoStatus::kReset;
  }
  note_failure();
  return IoStatus::kTlsFailed;
}

void TlsLink::note_failure() {
  const unsigned long error = take_first_error();
  const int reason = ERR_GET_REASON(error);
  if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason > SSL_AD_REASON_OFFSET) {
    failure_ = {TlsFailureKind::kAlert, static_cast<uint32_t>(reason - SSL_AD_REASON_OFFSET)};
  } else if (ERR_GET_LIB(error) == ERR_LIB_SSL && reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    failure_ = {TlsFailureKind::kCertificateRefused,
                static_cast<uint32_t>(SSL_get_verify_result(ssl_.get()))};
  } else {
    failure_ = {TlsFailureKind::kProtocolError, static_cast<uint32_t>(error)};
  }
}

// Returning 1 keeps the reference that OpenSSL counted for us.
int TlsLink::on_new_ticket(SSL* ssl, SSL_SESSION* session) {
  auto* link = static_cast<TlsLink*>(SSL_get_app_data(ssl));
  if (SSL_SESSION_is_resumable(session) != 1) return 0;
  link->ticket_.reset(session);
  return 1;
}

}  // namespace holdfast::flood
