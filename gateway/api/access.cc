#include "gateway/api/access.h"

#include <sodium.h>
#include <strings.h>

#include <algorithm>
#include <string_view>

#include "common/address.h"
#include "gateway/api/json_response.h"

namespace holdfast {
namespace {

constexpr std::string_view kScheme = "Bearer ";
constexpr std::string_view kLocalName = "localhost";

bool equals_ignoring_case(std::string_view left, std::string_view right) {
  return left.size() == right.size() && strncasecmp(left.data(), right.data(), left.size()) == 0;
}

// Takes as long for a token that is nearly right as for any other of its length; the length itself
// is no secret.
bool is_same_secret(std::string_view left, std::string_view right) {
  return left.size() == right.size() && sodium_memcmp(left.data(), right.data(), left.size()) == 0;
}

bool is_port(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "localhost" or a loopback address, with a port or without. Only a name can be made to point here
// by others, and no other name is taken.
bool is_local_host(std::string_view host) {
  const size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && is_port(host.substr(colon + 1)) &&
                        (host.find(':') == colon || host[colon - 1] == ']');
  std::string_view name = has_port ? host.substr(0, colon) : host;
  if (equals_ignoring_case(name, kLocalName)) return true;
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  const Result<Address> address = Address::parse_host(name);
  return address.is_ok() && address.value().is_loopback();
}

}  // namespace

AccessVerdict Access::check(const HttpRequest& request) const {
  if (has_token()) return check_token(request);
  if (is_reachable_by_others_) return AccessVerdict::kClosed;
  // HTTP/1.0 may leave the Host out; a browser never does.
  const std::string* const host = request.header("host");
  if (host != nullptr && !is_local_host(*host)) return AccessVerdict::kForeignHost;
  if (request.header("origin") != nullptr) return AccessVerdict::kForeignOrigin;
  return AccessVerdict::kAllowed;
}

AccessVerdict Access::check_token(const HttpRequest& request) const {
  const std::string* const shown = request.header("authorization");
  if (shown == nullptr) return AccessVerdict::kNoToken;
  const std::string_view text = *shown;
  const bool is_bearer = equals_ignoring_case(text.substr(0, kScheme.size()), kScheme);
  if (!is_bearer || !is_same_secret(text.substr(kScheme.size()), token_)) {
    return AccessVerdict::kWrongToken;
  }
  return AccessVerdict::kAllowed;
}

HttpResponse refusal(AccessVerdict verdict) {
  switch (verdict) {
    case AccessVerdict::kForeignHost:
      return error_response(403, "foreign_host",
                            "without a token only requests to localhost are served");
    case AccessVerdict::kForeignOrigin:
      return error_response(403, "foreign_origin", "without a token no web page is served");
    case AccessVerdict::kClosed:
      return error_response(403, "no_token_set",
                            "others can reach this address: set admin.token_file");
    case AccessVerdict::kAllowed:
    case AccessVerdict::kNoToken:
    case AccessVerdict::kWrongToken:
      break;
  }
  // RFC 6750, 3: the error is told only when a token was shown.
  const bool is_wrong = verdict == AccessVerdict::kWrongToken;
  HttpResponse response = error_response(
      401, "unauthorized",
      is_wrong ? "the bearer token is not the one set" : "send Authorization: Bearer TOKEN");
  response.headers.push_back(
      {"WWW-Authenticate", is_wrong ? "Bearer realm=\"holdfast\", error=\"invalid_token\""
                                    : "Bearer realm=\"holdfast\""});
  return response;
}

}  // namespace holdfast
