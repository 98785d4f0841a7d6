#include "gateway/net/tls_secret_tap.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "common/check.h"
#include "common/openssl_handles.h"

namespace holdfast {
namespace {

constexpr const char* kName = "holdfast";
constexpr const char* kOpensslProvider = "default";
constexpr const char* kAlgorithm = "TLS13-KDF";

thread_local Tls13Secrets* heard = nullptr;
EVP_KDF* own_kdf = nullptr;  // OpenSSL's; set by load()

Status not_default() {
  return Status::error(
      "OpenSSL is configured for another provider than its default one (FIPS): the gateway cannot "
      "serve TLS with it, since it takes part in deriving the secrets of TLS 1.3");
}

// A context of this provider's: one of OpenSSL's once it is needed.
class Derivation final {
 public:
  EVP_KDF_CTX* native() {
    if (native_ == nullptr) native_.reset(EVP_KDF_CTX_new(own_kdf));
    return native_.get();
  }
  bool is_native() const { return native_ != nullptr; }

 private:
  std::unique_ptr<EVP_KDF_CTX, FreeBy<EVP_KDF_CTX_free>> native_;
};

EVP_KDF_CTX* native(void* context) { return static_cast<Derivation*>(context)->native(); }

std::span<const uint8_t> bytes_of(const OSSL_PARAM* param) {
  if (param == nullptr || param->data == nullptr) return {};
  return {static_cast<const uint8_t*>(param->data), param->data_size};
}

std::string_view text_of(const OSSL_PARAM* param) {
  const std::span<const uint8_t> bytes = bytes_of(param);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool has_known_type(const OSSL_PARAM& param) {
  const std::string_view name = param.key;
  if (name == OSSL_KDF_PARAM_MODE) return param.data_type == OSSL_PARAM_INTEGER;
  if (name == OSSL_KDF_PARAM_DIGEST) return param.data_type == OSSL_PARAM_UTF8_STRING;
  return param.data_type == OSSL_PARAM_OCTET_STRING;
}

// What a derivation is asked for.
struct Request {
  int mode = -1;
  size_t hash_bytes = 0;  // 0: another hash than those of TLS 1.3
  std::span<const uint8_t> key;
  std::span<const uint8_t> salt;
  std::string_view prefix;
  std::string_view label;
  std::span<const uint8_t> context;
};

size_t hash_bytes_of(std::string_view digest) {
  if (digest == "SHA256" || digest == "SHA2-256") return 32;
  if (digest == "SHA384" || digest == "SHA2-384") return 48;
  return 0;
}

// Nothing when there is something in it that is not known here.
std::optional<Request> request_of(const OSSL_PARAM params[]) {
  Request request;
  for (const OSSL_PARAM* param = params; param != nullptr && param->key != nullptr; ++param) {
    if (!has_known_type(*param)) return std::nullopt;
    const std::string_view name = param->key;
    if (name == OSSL_KDF_PARAM_MODE) {
      if (OSSL_PARAM_get_int(param, &request.mode) != 1) return std::nullopt;
    } else if (name == OSSL_KDF_PARAM_DIGEST) {
      request.hash_bytes = hash_bytes_of(text_of(param));
    } else if (name == OSSL_KDF_PARAM_KEY) {
      request.key = bytes_of(param);
    } else if (name == OSSL_KDF_PARAM_SALT) {
      request.salt = bytes_of(param);
    } else if (name == OSSL_KDF_PARAM_PREFIX) {
      request.prefix = text_of(param);
    } else if (name == OSSL_KDF_PARAM_LABEL) {
      request.label = text_of(param);
    } else if (name == OSSL_KDF_PARAM_DATA) {
      request.context = bytes_of(param);
    } else {
      return std::nullopt;
    }
  }
  return request;
}

bool is_expansion(const Request& request, size_t out_bytes) {
  return request.mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && request.prefix == kTls13LabelPrefix &&
         request.hash_bytes > 0 && request.key.size() == request.hash_bytes &&
         request.salt.empty() && out_bytes <= request.hash_bytes &&
         request.label.size() <= kTls13LabelBytesMax &&
         request.context.size() <= kTlsSecretBytesMax;
}

bool is_extraction(const Request& request, size_t out_bytes) {
  return request.mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && request.prefix == kTls13LabelPrefix &&
         request.label == "derived" && request.hash_bytes > 0 &&
         (request.salt.empty() || request.salt.size() == request.hash_bytes) &&
         request.context.empty() && out_bytes == request.hash_bytes;
}

// Labels: RFC 8446, 7.1.
void expand(const Request& request, std::span<uint8_t> out) {
  tls13_expand_label(TlsSecret::of(request.key), request.label, request.context, out);
  if (heard == nullptr) return;
  if (request.label == "c ap traffic") heard->client = TlsSecret::of(out);
  if (request.label == "s ap traffic") heard->server = TlsSecret::of(out);
}

void extract(const Request& request, std::span<uint8_t> out) {
  const TlsSecret secret = tls13_extract(request.hash_bytes, request.salt, request.key);
  std::ranges::copy(secret.span(), out.begin());
}

int derive(void* context, unsigned char* out, size_t size, const OSSL_PARAM params[]) {
  // What was set before it is in OpenSSL's own context.
  const bool is_whole = !static_cast<Derivation*>(context)->is_native();
  const std::optional<Request> request = is_whole ? request_of(params) : std::nullopt;
  if (request && is_expansion(*request, size)) {
    expand(*request, {out, size});
  } else if (request && is_extraction(*request, size)) {
    extract(*request, {out, size});
  } else {
    return EVP_KDF_derive(native(context), out, size, params);
  }
  return 1;
}

void* new_context(void*) { return new Derivation; }
void free_context(void* context) { delete static_cast<Derivation*>(context); }
void reset_context(void* context) { *static_cast<Derivation*>(context) = {}; }
int set_params(void* context, const OSSL_PARAM params[]) {
  return EVP_KDF_CTX_set_params(native(context), params);
}
int get_params(void* context, OSSL_PARAM params[]) {
  return EVP_KDF_CTX_get_params(native(context), params);
}
const OSSL_PARAM* settable_params(void*, void*) { return EVP_KDF_settable_ctx_params(own_kdf); }
const OSSL_PARAM* gettable_params(void*, void*) { return EVP_KDF_gettable_ctx_params(own_kdf); }

template <class Function>
constexpr OSSL_DISPATCH entry(int id, Function* function) {
  return {id, reinterpret_cast<void (*)()>(function)};
}

const OSSL_ALGORITHM* query(void*, int operation, int* may_not_be_cached) {
  static const OSSL_DISPATCH kFunctions[] = {
      entry(OSSL_FUNC_KDF_NEWCTX, new_context),
      entry(OSSL_FUNC_KDF_FREECTX, free_context),
      entry(OSSL_FUNC_KDF_RESET, reset_context),
      entry(OSSL_FUNC_KDF_DERIVE, derive),
      entry(OSSL_FUNC_KDF_SET_CTX_PARAMS, set_params),
      entry(OSSL_FUNC_KDF_GET_CTX_PARAMS, get_params),
      entry(OSSL_FUNC_KDF_SETTABLE_CTX_PARAMS, settable_params),
      entry(OSSL_FUNC_KDF_GETTABLE_CTX_PARAMS, gettable_params),
      {0, nullptr},
  };
  static const OSSL_ALGORITHM kKdfs[] = {
      {kAlgorithm, "provider=holdfast", kFunctions, "hears the secrets of TLS 1.3"},
      {nullptr, nullptr, nullptr, nullptr},
  };
  *may_not_be_cached = 0;
  return operation == OSSL_OP_KDF ? kKdfs : nullptr;
}

int init(const OSSL_CORE_HANDLE*, const OSSL_DISPATCH*, const OSSL_DISPATCH** out, void** context) {
  static const OSSL_DISPATCH kFunctions[] = {
      entry(OSSL_FUNC_PROVIDER_QUERY_OPERATION, query),
      {0, nullptr},
  };
  *out = kFunctions;
  *context = nullptr;
  return 1;
}

using KdfHandle = std::unique_ptr<EVP_KDF, FreeBy<EVP_KDF_free>>;
using ProviderHandle = std::unique_ptr<OSSL_PROVIDER, FreeBy<OSSL_PROVIDER_unload>>;

bool is_of(const KdfHandle& kdf, std::string_view provider) {
  return kdf != nullptr && OSSL_PROVIDER_get0_name(EVP_KDF_get0_provider(kdf.get())) == provider;
}

// What is loaded, until the process ends.
class Providers final {
 public:
  Providers() : status_(load()) {}
  const Status& status() const { return status_; }

 private:
  // Once a provider is loaded by name OpenSSL no longer loads its default one by itself. What its
  // configuration has loaded stays.
  Status load() {
    kdf_.reset(EVP_KDF_fetch(nullptr, kAlgorithm, nullptr));
    if (!is_of(kdf_, kOpensslProvider)) return not_default();
    own_kdf = kdf_.get();
    openssl_.reset(OSSL_PROVIDER_load(nullptr, kOpensslProvider));
    if (OSSL_PROVIDER_add_builtin(nullptr, kName, init) == 1) {
      own_.reset(OSSL_PROVIDER_load(nullptr, kName));
    }
    if (openssl_ == nullptr || own_ == nullptr) {
      return Status::error("OpenSSL takes no provider: " + take_openssl_error());
    }
    const KdfHandle found(EVP_KDF_fetch(nullptr, kAlgorithm, TlsSecretTap::kProperties));
    return is_of(found, kName) ? Status::ok() : not_default();
  }

  KdfHandle kdf_;
  ProviderHandle openssl_;
  ProviderHandle own_;
  Status status_;
};

}  // namespace

Status TlsSecretTap::load() {
  static const Providers providers;
  return providers.status();
}

TlsSecretTap::TlsSecretTap(Tls13Secrets& secrets) {
  HF_CHECK(heard == nullptr);
  heard = &secrets;
}

TlsSecretTap::~TlsSecretTap() { heard = nullptr; }

}  // namespace holdfast
