#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// HTTP/1.1 messages as bytes and back. Pure functions: no descriptor, no log.
// Source: RFC 9110 (semantics) and RFC 9112 (framing).
namespace holdfast {

struct HttpHeader {
  std::string name;  // in lower case when it was received
  std::string value;

  bool operator==(const HttpHeader&) const = default;
};

struct HttpRequest {
  std::string method;
  std::string path;   // as sent, escapes and all; starts with '/'
  std::string query;  // what follows the '?', as sent
  std::vector<HttpHeader> headers;
  std::string body;
  bool keeps_alive = true;

  // The value, or null without such a header. `name` in lower case.
  const std::string* header(std::string_view name) const;
};

struct HttpLimits {
  size_t head_bytes_max = 8192;  // request line and headers, with the empty line that ends them
  size_t headers_max = 64;
  size_t body_bytes_max = 65536;
};

enum class HttpParseStatus : uint8_t { kRequest, kNeedMore, kBad };

struct HttpParseResult {
  HttpParseStatus status = HttpParseStatus::kNeedMore;
  // kNeedMore: no answer changes before this many bytes are there.
  size_t bytes_wanted = 0;
  // kNeedMore: the client waits for "100 Continue" before it sends the body.
  bool awaits_continue = false;
  // kRequest: bytes of the request.
  size_t consumed = 0;
  HttpRequest request;
  // kBad: what to answer before closing. Where the next request would begin is unknown.
  int error_status = 0;
  std::string_view error_code;
  std::string_view error;
};

// Reads one request from the front of `input`. Never looks past it.
// Strict, since a proxy in front must see the same requests in the same bytes: lines end in CRLF,
// no folded lines, no blank before a colon, one Content-Length of digits only, and no
// Transfer-Encoding (411): a request of this interface is short and its length known.
[[nodiscard]] HttpParseResult parse_http_request(std::string_view input, const HttpLimits& limits);

// %41 to A; '+' stays. Nothing when an escape is cut or not hexadecimal.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

// The keys and values of "a=1&b=2", decoded. Nothing when an escape is wrong.
using QueryPairs = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::optional<QueryPairs> parse_query(std::string_view query);

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<HttpHeader> headers = {};  // beside those that every response has
};

struct HttpResponseStyle {
  bool keeps_alive = true;
  bool has_body =
      true;  // false in the answer to HEAD, which tells the length and leaves it at that
};

// `now_s`: seconds since 1970.
[[nodiscard]] std::string response_bytes(const HttpResponse& response,
                                         const HttpResponseStyle& style, int64_t now_s);

}  // namespace holdfast
