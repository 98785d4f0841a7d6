#include "gateway/api/http_message.h"

#include <gtest/gtest.h>

#include <span>
#include <string>
#include <string_view>

#include "tests/unit/support/guarded_bytes.h"

namespace holdfast {
namespace {

constexpr HttpLimits kLimits{.head_bytes_max = 512, .headers_max = 8, .body_bytes_max = 64};

HttpParseResult parse(std::string_view text) { return parse_http_request(text, kLimits); }

// A request with these header lines between its first line and its body.
std::string request_with(std::string_view lines, std::string_view body = {}) {
  return "POST /p HTTP/1.1\r\nHost: h\r\n" + std::string(lines) + "\r\n" + std::string(body);
}

TEST(HttpMessage, RequestIsReadWithItsParts) {
  const std::string text =
      "PUT /v1/a%20b?x=1&y=2 HTTP/1.1\r\nHost: h:7080\r\nX-Blank: \t v w \t\r\n"
      "Content-Length: 4\r\n\r\nbody";
  const HttpParseResult result = parse(text + "GET");
  ASSERT_EQ(result.status, HttpParseStatus::kRequest);
  EXPECT_EQ(result.consumed, text.size());
  EXPECT_EQ(result.request.method, "PUT");
  EXPECT_EQ(result.request.path, "/v1/a%20b");
  EXPECT_EQ(result.request.query, "x=1&y=2");
  EXPECT_EQ(result.request.body, "body");
  ASSERT_NE(result.request.header("x-blank"), nullptr);
  EXPECT_EQ(*result.request.header("x-blank"), "v w");
  EXPECT_EQ(result.request.header("x-other"), nullptr);
  EXPECT_TRUE(result.request.keeps_alive);
}

TEST(HttpMessage, EveryCutWantsMoreAndTheWholeIsOneRequest) {
  const std::string text = request_with("Content-Length: 4\r\n", "body");
  for (size_t length = 0; length < text.size(); ++length) {
    const std::string cut = text.substr(0, length);
    const HttpParseResult result = parse(cut);
    EXPECT_EQ(result.status, HttpParseStatus::kNeedMore) << length;
    EXPECT_GT(result.bytes_wanted, length) << length;
    EXPECT_LE(result.bytes_wanted, text.size()) << length;
  }
  EXPECT_EQ(parse(text).status, HttpParseStatus::kRequest);
}

TEST(HttpMessage, BytesBehindTheRequestAreNotLookedAt) {
  const std::string text = request_with("Content-Length: 4\r\n", "body");
  const test::GuardedBytes guarded(std::as_bytes(std::span(text)));
  const std::span<const std::byte> bytes = guarded.bytes();
  const HttpParseResult result = parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  EXPECT_EQ(result.status, HttpParseStatus::kRequest);
}

TEST(HttpMessage, ConnectionStaysOpenAsVersionAndHeaderSay) {
  EXPECT_TRUE(parse("GET / HTTP/1.1\r\nHost: h\r\n\r\n").request.keeps_alive);
  EXPECT_FALSE(
      parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: x, Close\r\n\r\n").request.keeps_alive);
  EXPECT_FALSE(parse("GET / HTTP/1.0\r\n\r\n").request.keeps_alive);
  EXPECT_TRUE(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").request.keeps_alive);
}

struct BadRequest {
  const char* what;
  std::string text;
  int status;
};

class HttpMessageBad : public testing::TestWithParam<BadRequest> {};

TEST_P(HttpMessageBad, IsRefused) {
  const HttpParseResult result = parse(GetParam().text);
  ASSERT_EQ(result.status, HttpParseStatus::kBad) << GetParam().what;
  EXPECT_EQ(result.error_status, GetParam().status) << GetParam().what << ": " << result.error;
  EXPECT_FALSE(result.error.empty());
  EXPECT_FALSE(result.error_code.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Lines, HttpMessageBad,
    testing::Values(
        BadRequest{"no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"two blanks", "GET  / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"blank in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"no path", "GET a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"whole address", "GET http://h/ HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"fragment", "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"byte beyond ASCII", "GET /\xC3\xA4 HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"method", "G(T / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"endless method", std::string(17, 'A') + " / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"version", "GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
        BadRequest{"no version", "GET /\r\n\r\n", 400},
        BadRequest{"bare line feeds", "GET / HTTP/1.1\nHost: h\n\n", 400},
        BadRequest{"bare line feed before the end", "GET / HTTP/1.1\r\nHost: h\nA: b", 400},
        BadRequest{"empty line first", "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n", 400},
        BadRequest{"no host", "GET / HTTP/1.1\r\n\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(
    Headers, HttpMessageBad,
    testing::Values(
        BadRequest{"no colon", request_with("Name\r\n"), 400},
        BadRequest{"no name", request_with(": v\r\n"), 400},
        BadRequest{"blank before the colon", request_with("Name : v\r\n"), 400},
        BadRequest{"folded", request_with("Name: v\r\n w\r\n"), 400},
        BadRequest{"carriage return in a value", request_with("Name: v\rw\r\n"), 400},
        BadRequest{"zero in a value", request_with(std::string("Name: v\0w\r\n", 11)), 400},
        BadRequest{"two hosts", request_with("Host: i\r\n"), 400},
        BadRequest{"two tokens", request_with("Authorization: a\r\nAuthorization: b\r\n"), 400},
        BadRequest{"too many",
                   request_with("A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\nA: 5\r\nA: 6\r\n"
                                "A: 7\r\nA: 8\r\n"),
                   431},
        BadRequest{"too long", request_with("A: " + std::string(512, 'a') + "\r\n"), 431},
        BadRequest{"endless", "GET /" + std::string(512, 'a'), 431},
        BadRequest{"expectation", request_with("Expect: 200-ok\r\n"), 417}));

INSTANTIATE_TEST_SUITE_P(
    Framing, HttpMessageBad,
    testing::Values(
        BadRequest{"two lengths", request_with("Content-Length: 1\r\nContent-Length: 1\r\n"), 400},
        BadRequest{"list of lengths", request_with("Content-Length: 1, 1\r\n"), 400},
        BadRequest{"sign", request_with("Content-Length: +1\r\n"), 400},
        BadRequest{"negative", request_with("Content-Length: -1\r\n"), 400},
        BadRequest{"hexadecimal", request_with("Content-Length: 0x1\r\n"), 400},
        BadRequest{"empty", request_with("Content-Length:\r\n"), 400},
        BadRequest{"too long", request_with("Content-Length: 65\r\n"), 413},
        BadRequest{"overflow", request_with("Content-Length: 18446744073709551617\r\n"), 413},
        BadRequest{"chunked", request_with("Transfer-Encoding: chunked\r\n"), 411},
        BadRequest{"both", request_with("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
                   400},
        BadRequest{"other coding", request_with("Transfer-Encoding: xchunked\r\n"), 411}));

TEST(HttpMessage, ContinueIsAwaitedUntilTheBodyIsThere) {
  const std::string head = request_with("Content-Length: 4\r\nExpect: 100-Continue\r\n");
  EXPECT_TRUE(parse(head).awaits_continue);
  EXPECT_EQ(parse(head).bytes_wanted, head.size() + 4);
  EXPECT_EQ(parse(head + "body").status, HttpParseStatus::kRequest);
  EXPECT_FALSE(parse(request_with("Content-Length: 4\r\n")).awaits_continue);
}

TEST(HttpMessage, HeadOfExactlyTheLimitPasses) {
  const std::string bare = request_with("A: \r\n");
  const std::string padding(kLimits.head_bytes_max - bare.size(), 'a');
  EXPECT_EQ(parse(request_with("A: " + padding + "\r\n")).status, HttpParseStatus::kRequest);
  EXPECT_EQ(parse(request_with("A: " + padding + "a\r\n")).error_status, 431);
}

TEST(HttpMessage, EscapesAreDecodedAndBrokenOnesRefused) {
  EXPECT_EQ(percent_decode("a%3Ab+%2f"), "a:b+/");
  EXPECT_EQ(percent_decode(""), "");
  EXPECT_EQ(percent_decode("%41"), "A");
  EXPECT_EQ(percent_decode("%00"), std::string(1, '\0'));
  for (const char* broken : {"%", "%4", "a%", "%4g", "%g4", "%%41"}) {
    EXPECT_EQ(percent_decode(broken), std::nullopt) << broken;
  }
}

TEST(HttpMessage, QueryIsReadInOrder) {
  const QueryPairs expected = {{"a", "1"}, {"b", ""}, {"c", "x=y"}, {"", "z"}};
  EXPECT_EQ(parse_query("a=1&b&&c=x%3Dy&=z"), expected);
  EXPECT_EQ(parse_query(""), QueryPairs{});
  EXPECT_EQ(parse_query("a=%"), std::nullopt);
}

TEST(HttpMessage, ResponseHasLengthDateAndItsOwnHeaders) {
  HttpResponse response;
  response.status = 405;
  response.body = "{}";
  response.headers.push_back({"Allow", "GET"});
  constexpr int64_t kMomentS = 784111777;  // RFC 9110, 5.6.7
  EXPECT_EQ(response_bytes(response, {.keeps_alive = true, .has_body = true}, kMomentS),
            "HTTP/1.1 405 Method Not Allowed\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Type: application/json\r\nContent-Length: 2\r\nCache-Control: no-store\r\n"
            "X-Content-Type-Options: nosniff\r\nConnection: keep-alive\r\nAllow: GET\r\n\r\n{}");
}

TEST(HttpMessage, AnswerToHeadTellsTheLengthWithoutTheBody) {
  HttpResponse response;
  response.body = "abc";
  const std::string bytes = response_bytes(response, {.keeps_alive = false, .has_body = false}, 0);
  EXPECT_NE(bytes.find("Content-Length: 3\r\n"), std::string::npos);
  EXPECT_NE(bytes.find("Connection: close\r\n"), std::string::npos);
  EXPECT_TRUE(bytes.ends_with("\r\n\r\n"));
}

}  // namespace
}  // namespace holdfast
