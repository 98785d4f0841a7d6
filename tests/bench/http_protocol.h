#pragma once

#include "tests/bench/device_protocol.h"

namespace holdfast::bench {

// As much of HTTP/1.1 as a client needs that keeps a connection: a GET of /hello, which the server
// answers with 202, and of /ping, with 200; neither answer has a body. tests/bench/bench_nginx.py
// sets a server up so. Source: RFC 9112.
[[nodiscard]] const DeviceProtocol& http_protocol();

}  // namespace holdfast::bench
