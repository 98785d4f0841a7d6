#include "gateway/net/tls_context.h"

#include <algorithm>
#include <utility>

#include "common/check.h"
#include "common/log.h"
#include "common/small_file.h"
#include "gateway/net/certificate_dates.h"
#include "gateway/net/certificate_names.h"
#include "gateway/net/tls_secret_tap.h"

namespace holdfast {
namespace {

constexpr size_t kCaFileBytesMax = 1'048'576;
// Certificates between a device's and one of the CA file.
constexpr int kVerifyDepthMax = 4;

// What the gateway's own record layer speaks: two ciphers, three key sizes, no CBC, no CCM.
constexpr const char* kTls12Ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* kTls13Ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* kGroups = "X25519:P-256";

// A device without AES in hardware puts ChaCha20 first, and then gets it.
constexpr uint64_t kOptions = SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA |
                              SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION;
// The chain that is sent is the file's: none is put together out of the clients' CA.
constexpr long kModes = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN;

bool set_protocol(SSL_CTX* native) {
  SSL_CTX_set_options(native, kOptions);
  SSL_CTX_set_mode(native, kModes);
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  // 2: no RSA or DH below 2048 bits, no SHA-1 in signatures, in a client's certificate neither.
  SSL_CTX_set_security_level(native, 2);
  [[maybe_unused]] const long before = SSL_CTX_set_timeout(native, TlsContext::kTicketLifetimeS);
  return SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION) == 1 &&
         SSL_CTX_set_max_proto_version(native, TLS1_3_VERSION) == 1 &&
         SSL_CTX_set_cipher_list(native, kTls12Ciphers) == 1 &&
         SSL_CTX_set_ciphersuites(native, kTls13Ciphers) == 1 &&
         SSL_CTX_set1_groups_list(native, kGroups) == 1 &&
         SSL_CTX_set_max_early_data(native, 0) == 1 && SSL_CTX_set_num_tickets(native, 1) == 1;
}

bool is_quick(const EVP_PKEY& key) {
  const int kind = EVP_PKEY_get_base_id(&key);
  return kind == EVP_PKEY_ED25519 || (kind == EVP_PKEY_EC && EVP_PKEY_get_bits(&key) <= 256);
}

std::string alpn_wire(const std::vector<std::string>& names) {
  std::string wire;
  for (const std::string& name : names) {
    HF_CHECK(!name.empty() && name.size() <= 255);
    wire += static_cast<char>(name.size());
    wire += name;
  }
  return wire;
}

// A ticket is taken by nobody but whoever would have let the same clients in (SSL_CTX_set_session_
// id_context(3)): what decides that is hashed.
std::array<unsigned char, 32> session_context_of(TlsClientAuth client_auth, DeviceIdSource source,
                                                 const std::string& client_ca) {
  std::string text = "holdfast 1 ";
  text += static_cast<char>('0' + static_cast<int>(client_auth));
  text += static_cast<char>('0' + static_cast<int>(source));
  text += client_ca;
  std::array<unsigned char, 32> hash{};
  HF_CHECK(EVP_Digest(text.data(), text.size(), hash.data(), nullptr, EVP_sha256(), nullptr) == 1);
  return hash;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ",") + name;
  return text;
}

CertificateStack stack_of(const std::vector<CertificateHandle>& certificates) {
  CertificateStack stack(sk_X509_new_null());
  for (const CertificateHandle& certificate : certificates) {
    HF_CHECK(stack != nullptr && sk_X509_push(stack.get(), certificate.get()) > 0);
  }
  return stack;
}

// A certificate that is no authority would admit nobody, or, put there by mistake, only itself.
Status check_authority(const X509& certificate, const std::filesystem::path& file) {
  if (X509_check_ca(const_cast<X509*>(&certificate)) == 0) {
    return Status::error(file.string() +
                         " holds a certificate that is not an authority's: name the file of the CA "
                         "that signs devices' certificates");
  }
  if (validity(certificate, wall_clock_s()) != Validity::kCurrent) {
    log::warn("an authority's certificate is out of its dates: no device is admitted by it",
              {{"file", file.string()}, {"authority", joined(common_names(certificate))}});
  }
  return Status::ok();
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> TlsContext::load(
    const TlsContextSettings& settings, std::shared_ptr<TicketKeys> ticket_keys) {
  HF_CHECK(!settings.certificates.empty() && ticket_keys != nullptr);
  ERR_clear_error();
  if (Status tapped = TlsSecretTap::load(); !tapped.is_ok()) return tapped;
  const std::shared_ptr<TlsContext> context(new TlsContext(settings, std::move(ticket_keys)));
  Status status = context->load_client_ca(settings.client_ca);
  for (const TlsCertificateFiles& files : settings.certificates) {
    if (status.is_ok()) status = context->add_certificate(files);
  }
  if (!status.is_ok()) return status;
  return std::shared_ptr<const TlsContext>(context);
}

TlsContext::TlsContext(const TlsContextSettings& settings, std::shared_ptr<TicketKeys> ticket_keys)
    : client_auth_(settings.client_auth),
      device_id_source_(settings.device_id_source),
      ticket_keys_(std::move(ticket_keys)),
      alpn_(alpn_wire(settings.alpn)) {}

Status TlsContext::load_client_ca(const std::filesystem::path& file) {
  std::string pem;
  if (client_auth_ != TlsClientAuth::kOff) {
    Result<std::string> read = read_small_file(file, kCaFileBytesMax, FilePrivacy::kAny);
    if (!read.is_ok()) return read.status();
    pem = std::move(read.value());
    Result<std::vector<CertificateHandle>> parsed = parse_certificates(pem, file);
    if (!parsed.is_ok()) return parsed.status();
    client_ca_certificates_ = std::move(parsed.value());
    client_ca_.reset(X509_STORE_new());
    HF_CHECK(client_ca_ != nullptr);
    // Who is named is trusted, an intermediate authority without its root too.
    X509_STORE_set_flags(client_ca_.get(), X509_V_FLAG_PARTIAL_CHAIN);
    for (const CertificateHandle& certificate : client_ca_certificates_) {
      if (Status fit = check_authority(*certificate, file); !fit.is_ok()) return fit;
      if (X509_STORE_add_cert(client_ca_.get(), certificate.get()) != 1) {
        return Status::error(file.string() + " cannot be used: " + take_openssl_error());
      }
    }
  }
  session_context_ = session_context_of(client_auth_, device_id_source_, pem);
  return Status::ok();
}

void TlsContext::ask_for_certificates(SSL_CTX* native) {
  const int required =
      client_auth_ == TlsClientAuth::kRequired ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER | required, nullptr);
  SSL_CTX_set_verify_depth(native, kVerifyDepthMax);
  SSL_CTX_set1_cert_store(native, client_ca_.get());
  HF_CHECK(SSL_CTX_set_purpose(native, X509_PURPOSE_SSL_CLIENT) == 1);
  for (const CertificateHandle& certificate : client_ca_certificates_) {
    HF_CHECK(SSL_CTX_add_client_CA(native, certificate.get()) == 1);
  }
}

// All of a listener's are alike but for their certificates: a handshake takes much of its policy
// from the one that it began with, and some from the one that SNI chose.
Result<SslContextHandle> TlsContext::make_native() {
  SslContextHandle native(SSL_CTX_new_ex(nullptr, TlsSecretTap::kProperties, TLS_server_method()));
  if (native == nullptr || !set_protocol(native.get())) {
    return Status::error("this OpenSSL cannot speak the TLS that is wanted: " +
                         take_openssl_error());
  }
  SSL_CTX* const raw = native.get();
  if (client_auth_ != TlsClientAuth::kOff) ask_for_certificates(raw);
  const auto bytes = static_cast<unsigned int>(session_context_.size());
  HF_CHECK(SSL_CTX_set_session_id_context(raw, session_context_.data(), bytes) == 1);
  SSL_CTX_set_app_data(raw, this);
  SSL_CTX_set_tlsext_servername_callback(raw, &TlsContext::on_server_name);
  SSL_CTX_set_tlsext_servername_arg(raw, this);
  SSL_CTX_set_tlsext_status_cb(raw, &TlsContext::on_status_request);
  SSL_CTX_set_tlsext_status_arg(raw, this);
  HF_CHECK(SSL_CTX_set_tlsext_ticket_key_evp_cb(raw, &TlsContext::on_ticket) == 1);
  if (!alpn_.empty()) SSL_CTX_set_alpn_select_cb(raw, &TlsContext::on_alpn, this);
  return native;
}

Status TlsContext::add_certificate(const TlsCertificateFiles& files) {
  Result<TlsCertificate> loaded = load_tls_certificate(files);
  if (!loaded.is_ok()) return loaded.status();
  TlsCertificate& certificate = loaded.value();
  signs_quickly_ &= is_quick(*certificate.key);
  const Result<SSL_CTX*> place = place_for(certificate, files);
  if (!place.is_ok()) return place.status();
  const CertificateStack chain = stack_of(certificate.intermediates);
  if (SSL_CTX_use_cert_and_key(place.value(), certificate.leaf.get(), certificate.key.get(),
                               chain.get(), 1) != 1) {
    return Status::error(files.cert.string() + " cannot be used: " + take_openssl_error());
  }
  for (const std::string& name : certificate.names) by_name_.try_emplace(name, place.value());
  if (certificate.staple) {
    if (!certificate.staple->is_current(wall_clock_s())) {
      log::warn("an OCSP response is not current and is not given to clients: fetch a new one",
                {{"file", files.ocsp.string()}});
    }
    staples_.push_back({certificate.leaf.get(), std::move(*certificate.staple)});
  }
  certificates_.push_back({files.cert.string(), joined(certificate.names), certificate.expires_s});
  return Status::ok();
}

// The SSL_CTX of the same names, where a certificate with another kind of key joins the one that is
// there (OpenSSL gives each client the one it can use); or a new one.
Result<SSL_CTX*> TlsContext::place_for(const TlsCertificate& certificate,
                                       const TlsCertificateFiles& files) {
  if (certificate.names.empty() && !served_.empty()) {
    return Status::error(files.cert.string() +
                         " is made out to no name: only the first certificate can do without");
  }
  const int kind = EVP_PKEY_get_base_id(certificate.key.get());
  const auto same = std::ranges::find(served_, certificate.names, &Served::names);
  if (same == served_.end()) {
    Result<SslContextHandle> native = make_native();
    if (!native.is_ok()) return native.status();
    served_.push_back({std::move(native.value()), certificate.names, {kind}});
    return served_.back().context.get();
  }
  if (std::ranges::find(same->key_kinds, kind) != same->key_kinds.end()) {
    return Status::error(files.cert.string() +
                         " has the names and the kind of key of an earlier certificate, and would "
                         "never be used: leave one of the two out");
  }
  same->key_kinds.push_back(kind);
  return same->context.get();
}

SSL_CTX* TlsContext::find(std::string_view server_name) const {
  const std::string name = in_small_letters(std::string(server_name));
  if (const auto exact = by_name_.find(name); exact != by_name_.end()) return exact->second;
  // A wildcard stands for one label, the first (RFC 6125, 6.4.3).
  const size_t dot = name.find('.');
  if (dot == std::string::npos || dot == 0) return nullptr;
  const auto wildcard = by_name_.find("*" + name.substr(dot));
  return wildcard == by_name_.end() ? nullptr : wildcard->second;
}

bool TlsContext::still_admits(const SSL* ssl) const {
  if (client_auth_ == TlsClientAuth::kOff) return true;
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return client_auth_ == TlsClientAuth::kOptional;
  return SSL_get_verify_result(ssl) == X509_V_OK &&
         validity(*certificate, wall_clock_s()) == Validity::kCurrent;
}

std::vector<std::string> TlsContext::device_names(const X509& certificate) const {
  std::vector<std::string> names;
  const auto add = [&names](std::vector<std::string> more) {
    names.insert(names.end(), std::make_move_iterator(more.begin()),
                 std::make_move_iterator(more.end()));
  };
  const bool is_any = device_id_source_ == DeviceIdSource::kAny;
  if (is_any || device_id_source_ == DeviceIdSource::kCommonName) add(common_names(certificate));
  if (is_any || device_id_source_ == DeviceIdSource::kAltName) {
    add(dns_names(certificate));
    add(uri_names(certificate));
  }
  return names;
}

const TlsContext& TlsContext::of(SSL* ssl) {
  return *static_cast<const TlsContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

int TlsContext::on_server_name(SSL* ssl, int*, void* self) {
  const char* const name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_CTX* const found = static_cast<const TlsContext*>(self)->find(name);
  if (found == nullptr) return SSL_TLSEXT_ERR_NOACK;
  return SSL_set_SSL_CTX(ssl, found) != nullptr ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// A client that offers nothing the listener speaks is told so, rather than left to guess from a
// close (RFC 7301, 3.2).
int TlsContext::on_alpn(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                        const unsigned char* offered, unsigned int offered_bytes, void* self) {
  const std::string& spoken = static_cast<const TlsContext*>(self)->alpn_;
  unsigned char* found = nullptr;
  const int outcome = SSL_select_next_proto(
      &found, chosen_bytes, reinterpret_cast<const unsigned char*>(spoken.data()),
      static_cast<unsigned int>(spoken.size()), offered, offered_bytes);
  if (outcome != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::on_status_request(SSL* ssl, void* self) {
  const auto& staples = static_cast<const TlsContext*>(self)->staples_;
  const auto found = std::ranges::find(staples, SSL_get_certificate(ssl), &Staple::certificate);
  if (found == staples.end() || !found->staple.is_current(wall_clock_s())) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  const std::string& der = found->staple.der;
  void* const copy = OPENSSL_memdup(der.data(), der.size());  // the SSL frees it
  if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
  SSL_set_tlsext_status_ocsp_resp(ssl, static_cast<unsigned char*>(copy),
                                  static_cast<long>(der.size()));
  return SSL_TLSEXT_ERR_OK;
}

int TlsContext::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher,
                          EVP_MAC_CTX* mac, int is_sealing) {
  const TicketKeys& keys = *of(ssl).ticket_keys_;
  if (is_sealing != 0) return keys.seal(name, iv, cipher, mac);
  const int opened = keys.open(name, iv, cipher, mac);
  // Clients of TLS 1.3 use a ticket once (RFC 8446, C.4): without a new one the next handshake
  // would be a full one.
  return opened == 1 && SSL_version(ssl) >= TLS1_3_VERSION ? 2 : opened;
}

}  // namespace holdfast
