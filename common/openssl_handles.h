#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

// OpenSSL's objects with an owner.
namespace holdfast {

template <auto Free>
struct FreeBy {
  template <class Object>
  void operator()(Object* object) const {
    Free(object);
  }
};

struct FreeCertificates {
  // The stack alone: whoever puts a certificate in keeps it.
  void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
};

using BioHandle = std::unique_ptr<BIO, FreeBy<BIO_free>>;
using CertificateHandle = std::unique_ptr<X509, FreeBy<X509_free>>;
using CertificateStack = std::unique_ptr<STACK_OF(X509), FreeCertificates>;
using CertificateStore = std::unique_ptr<X509_STORE, FreeBy<X509_STORE_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeBy<EVP_PKEY_free>>;
using SslContextHandle = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX_free>>;
using SslHandle = std::unique_ptr<SSL, FreeBy<SSL_free>>;
using SslSessionHandle = std::unique_ptr<SSL_SESSION, FreeBy<SSL_SESSION_free>>;

// What OpenSSL says of its latest failure on this thread. Empties its queue, so that a later call
// is not blamed for it.
inline std::string take_openssl_error() {
  const unsigned long error = ERR_peek_last_error();
  const char* const reason = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return reason != nullptr ? reason : "no reason is given";
}

}  // namespace holdfast
