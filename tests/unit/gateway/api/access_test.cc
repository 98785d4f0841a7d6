#include "gateway/api/access.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace holdfast {
namespace {

constexpr const char* kToken = "0123456789abcdef";

HttpRequest with_headers(std::vector<HttpHeader> headers) {
  HttpRequest request;
  request.headers = std::move(headers);
  return request;
}

Access local_access() {
  Access access;
  access.set_reachable_by_others(false);
  return access;
}

TEST(Access, TokenMustBeShownExactly) {
  Access access = local_access();
  access.set_token(kToken);
  const auto verdict = [&access](const std::string& authorization) {
    return access.check(with_headers({{"host", "elsewhere"}, {"authorization", authorization}}));
  };
  EXPECT_EQ(verdict("Bearer 0123456789abcdef"), AccessVerdict::kAllowed);
  EXPECT_EQ(verdict("bearer 0123456789abcdef"), AccessVerdict::kAllowed);
  for (const char* wrong :
       {"Bearer 0123456789abcdeF", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0", "Bearer ",
        "Bearer", "", "Basic 0123456789abcdef", "0123456789abcdef"}) {
    EXPECT_EQ(verdict(wrong), AccessVerdict::kWrongToken) << wrong;
  }
  EXPECT_EQ(access.check(with_headers({{"host", "localhost"}})), AccessVerdict::kNoToken);
}

TEST(Access, WithATokenAnyHostAndOriginMayAsk) {
  Access access;
  access.set_token(kToken);
  EXPECT_EQ(access.check(with_headers({{"host", "gateway.example"},
                                       {"origin", "https://ops.example"},
                                       {"authorization", "Bearer 0123456789abcdef"}})),
            AccessVerdict::kAllowed);
}

TEST(Access, WithoutATokenOnlyThisMachinesNamesAreTaken) {
  const Access access = local_access();
  for (const char* host : {"localhost", "LocalHost:7080", "127.0.0.1", "127.0.0.1:80", "127.9.9.9",
                           "[::1]", "[::1]:7080"}) {
    EXPECT_EQ(access.check(with_headers({{"host", host}})), AccessVerdict::kAllowed) << host;
  }
  for (const char* host : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example",
                           "localhost:", "localhost:port", "localhost:7080:1", "10.0.0.1", "[::2]",
                           "[", "]", "[]", ":7080", "127.0.0.1:123456"}) {
    EXPECT_EQ(access.check(with_headers({{"host", host}})), AccessVerdict::kForeignHost) << host;
  }
  EXPECT_EQ(access.check(with_headers({})), AccessVerdict::kAllowed);  // HTTP/1.0
}

TEST(Access, WithoutATokenNoPageIsServed) {
  const Access access = local_access();
  for (const char* origin : {"null", "http://localhost:7080", ""}) {
    EXPECT_EQ(access.check(with_headers({{"host", "localhost"}, {"origin", origin}})),
              AccessVerdict::kForeignOrigin);
  }
}

TEST(Access, ReachableWithoutATokenIsClosedToAll) {
  Access access = local_access();
  access.set_token(kToken);
  access.set_reachable_by_others(true);
  access.set_token("");  // as a reload might
  EXPECT_EQ(access.check(with_headers({{"host", "localhost"}})), AccessVerdict::kClosed);
  EXPECT_EQ(access.check(with_headers({{"host", "localhost"}, {"authorization", "Bearer "}})),
            AccessVerdict::kClosed);
}

TEST(Access, RefusalsSayWhatIsMissing) {
  EXPECT_EQ(refusal(AccessVerdict::kForeignHost).status, 403);
  EXPECT_EQ(refusal(AccessVerdict::kForeignOrigin).status, 403);
  EXPECT_EQ(refusal(AccessVerdict::kClosed).status, 403);
  const HttpResponse missing = refusal(AccessVerdict::kNoToken);
  EXPECT_EQ(missing.status, 401);
  EXPECT_EQ(missing.headers.at(0), (HttpHeader{"WWW-Authenticate", "Bearer realm=\"holdfast\""}));
  EXPECT_NE(refusal(AccessVerdict::kWrongToken).headers.at(0).value.find("invalid_token"),
            std::string::npos);
}

}  // namespace
}  // namespace holdfast
