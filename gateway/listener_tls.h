#pragma once

#include "gateway/net/tls_context.h"
#include "gateway/options.h"

namespace holdfast {

// A listener's TLS, with that of tls.* in place of what it leaves out. Without certificates it has
// none and is plain. Pure: reads no file.
TlsContextSettings effective_tls(const Options& options, const ListenerOptions& listener);

}  // namespace holdfast
