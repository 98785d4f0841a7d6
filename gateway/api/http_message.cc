#include "gateway/api/http_message.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace holdfast {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr size_t kMethodBytesMax = 16;

HttpParseResult bad(int status, std::string_view code, std::string_view why) {
  HttpParseResult result;
  result.status = HttpParseStatus::kBad;
  result.error_status = status;
  result.error_code = code;
  result.error = why;
  return result;
}

HttpParseResult bad_request(std::string_view why) { return bad(400, "bad_request", why); }

HttpParseResult need_more(size_t bytes_wanted) {
  HttpParseResult result;
  result.bytes_wanted = bytes_wanted;
  return result;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_blank(char c) { return c == ' ' || c == '\t'; }

// RFC 9110, 5.6.2.
bool is_token_char(char c) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
         kMarks.find(c) != std::string_view::npos;
}

// RFC 9110, 5.5: visible characters, blanks between them, and bytes beyond ASCII.
bool is_value_char(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7F);
}

bool is_target_char(char c) { return c > 0x20 && c < 0x7F && c != '#'; }

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), to_lower);
  return result;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// A line feed without its carriage return ends a line for some readers and not for others.
bool has_bare_line_feed(std::string_view text) {
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
    if (at == 0 || text[at - 1] != '\r') return true;
  }
  return false;
}

// What the first line and the headers say about the rest.
struct Head {
  HttpRequest request;
  bool is_version_1_0 = false;
  size_t body_bytes = 0;
  bool awaits_continue = false;
};

std::optional<HttpParseResult> parse_request_line(std::string_view line, Head& head) {
  const size_t method_end = line.find(' ');
  const size_t target_end = line.rfind(' ');
  if (method_end == std::string_view::npos || method_end == target_end) {
    return bad_request("the request line is not: method, target, version");
  }
  const std::string_view method = line.substr(0, method_end);
  const std::string_view target = line.substr(method_end + 1, target_end - method_end - 1);
  const std::string_view version = line.substr(target_end + 1);
  if (!is_token(method) || method.size() > kMethodBytesMax) {
    return bad_request("the method is not a token");
  }
  if (version != "HTTP/1.1" && version != "HTTP/1.0") {
    return bad(505, "version_not_supported", "HTTP/1.1 and HTTP/1.0 are spoken here");
  }
  if (!target.starts_with('/') || !std::all_of(target.begin(), target.end(), is_target_char)) {
    return bad_request("the target is not a path");
  }
  const size_t path_end = std::min(target.find('?'), target.size());
  head.request.method = method;
  head.request.path = target.substr(0, path_end);
  if (path_end < target.size()) head.request.query = target.substr(path_end + 1);
  head.is_version_1_0 = version == "HTTP/1.0";
  return std::nullopt;
}

std::optional<HttpParseResult> parse_header_line(std::string_view line, HttpRequest& request) {
  const size_t colon = line.find(':');
  // A folded line and a blank before the colon fail here too: neither is a token.
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) {
    return bad_request("a header line is not: name, colon, value");
  }
  const std::string_view value = trim(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_char)) {
    return bad_request("a header's value has control characters");
  }
  request.headers.push_back({lower(line.substr(0, colon)), std::string(value)});
  return std::nullopt;
}

size_t count_of(const HttpRequest& request, std::string_view name) {
  return static_cast<size_t>(
      std::count_if(request.headers.begin(), request.headers.end(),
                    [name](const HttpHeader& header) { return header.name == name; }));
}

// Where the request ends: the headers that say so must say it once and clearly.
std::optional<HttpParseResult> read_framing(Head& head, const HttpLimits& limits) {
  const HttpRequest& request = head.request;
  for (const std::string_view name : {"content-length", "host", "authorization", "origin"}) {
    if (count_of(request, name) > 1)
      return bad_request("a header that may stand once stands twice");
  }
  if (!head.is_version_1_0 && request.header("host") == nullptr) {
    return bad_request("the Host header is missing");
  }
  const std::string* const length = request.header("content-length");
  if (request.header("transfer-encoding") != nullptr) {
    if (length != nullptr)
      return bad_request("Content-Length and Transfer-Encoding exclude each other");
    return bad(411, "length_required", "send the body with a Content-Length");
  }
  if (length == nullptr) return std::nullopt;
  uint64_t bytes = 0;
  const char* const end = length->data() + length->size();
  const auto [stopped, error] = std::from_chars(length->data(), end, bytes);
  const bool is_all_digits =
      !length->empty() && std::all_of(length->begin(), length->end(), is_digit);
  if (!is_all_digits || stopped != end) return bad_request("Content-Length is not a number");
  if (error == std::errc::result_out_of_range || bytes > limits.body_bytes_max) {
    return bad(413, "body_too_large", "the body is longer than allowed");
  }
  head.body_bytes = static_cast<size_t>(bytes);
  return std::nullopt;
}

// The options of all Connection headers, in lower case.
std::vector<std::string> connection_options(const HttpRequest& request) {
  std::vector<std::string> options;
  for (const HttpHeader& header : request.headers) {
    if (header.name != "connection") continue;
    std::string_view rest = header.value;
    while (!rest.empty()) {
      const size_t comma = std::min(rest.find(','), rest.size());
      options.push_back(lower(trim(rest.substr(0, comma))));
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
  }
  return options;
}

bool wants_keep_alive(const Head& head) {
  const std::vector<std::string> options = connection_options(head.request);
  const auto has = [&options](std::string_view option) {
    return std::find(options.begin(), options.end(), option) != options.end();
  };
  return !has("close") && (!head.is_version_1_0 || has("keep-alive"));
}

std::optional<HttpParseResult> read_expectation(Head& head) {
  const std::string* const expectation = head.request.header("expect");
  // RFC 9110, 10.1.1: a server ignores it in HTTP/1.0.
  if (expectation == nullptr || head.is_version_1_0) return std::nullopt;
  if (lower(*expectation) != "100-continue") {
    return bad(417, "expectation_failed", "no expectation but 100-continue is met here");
  }
  head.awaits_continue = true;
  return std::nullopt;
}

// `text`: the lines up to and with the last one's CRLF.
std::optional<HttpParseResult> parse_head(std::string_view text, const HttpLimits& limits,
                                          Head& head) {
  size_t line_end = text.find(kLineEnd);
  if (auto error = parse_request_line(text.substr(0, line_end), head)) return error;
  text.remove_prefix(line_end + kLineEnd.size());
  while (!text.empty()) {
    if (head.request.headers.size() == limits.headers_max) {
      return bad(431, "too_many_headers", "there are more headers than allowed");
    }
    line_end = text.find(kLineEnd);
    if (auto error = parse_header_line(text.substr(0, line_end), head.request)) return error;
    text.remove_prefix(line_end + kLineEnd.size());
  }
  if (auto error = read_framing(head, limits)) return error;
  if (auto error = read_expectation(head)) return error;
  head.request.keeps_alive = wants_keep_alive(head);
  return std::nullopt;
}

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  const char lowered = to_lower(c);
  return lowered >= 'a' && lowered <= 'f' ? lowered - 'a' + 10 : -1;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 202:
      return "Accepted";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 411:
      return "Length Required";
    case 413:
      return "Content Too Large";
    case 417:
      return "Expectation Failed";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";  // RFC 9112, 4: may be empty
  }
}

// RFC 9110, 5.6.7; not by strftime's names, which depend on the locale.
std::string http_date(int64_t now_s) {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const time_t seconds = now_s;
  tm utc{};
  gmtime_r(&seconds, &utc);
  char text[64];
  const int length = std::snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d GMT",
                                   kDays[static_cast<size_t>(utc.tm_wday)], utc.tm_mday,
                                   kMonths[static_cast<size_t>(utc.tm_mon)], utc.tm_year + 1900,
                                   utc.tm_hour, utc.tm_min, utc.tm_sec);
  return std::string(text, static_cast<size_t>(length));
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append(kLineEnd);
}

}  // namespace

const std::string* HttpRequest::header(std::string_view name) const {
  const auto found = std::find_if(headers.begin(), headers.end(),
                                  [name](const HttpHeader& header) { return header.name == name; });
  return found == headers.end() ? nullptr : &found->value;
}

HttpParseResult parse_http_request(std::string_view input, const HttpLimits& limits) {
  const std::string_view head_window = input.substr(0, limits.head_bytes_max);
  const size_t head_end = head_window.find(kHeadEnd);
  if (has_bare_line_feed(head_window.substr(0, head_end))) {
    return bad_request("a line ends in a bare line feed");
  }
  if (head_end == std::string_view::npos) {
    if (input.size() >= limits.head_bytes_max) {
      return bad(431, "head_too_large", "the request line and headers are longer than allowed");
    }
    return need_more(input.size() + 1);
  }
  Head head;
  if (auto error = parse_head(input.substr(0, head_end + kLineEnd.size()), limits, head)) {
    return *std::move(error);
  }
  const size_t body_start = head_end + kHeadEnd.size();
  if (input.size() - body_start < head.body_bytes) {
    HttpParseResult result = need_more(body_start + head.body_bytes);
    result.awaits_continue = head.awaits_continue;
    return result;
  }
  HttpParseResult result;
  result.status = HttpParseStatus::kRequest;
  result.consumed = body_start + head.body_bytes;
  result.request = std::move(head.request);
  result.request.body = input.substr(body_start, head.body_bytes);
  return result;
}

std::optional<std::string> percent_decode(std::string_view text) {
  std::string decoded;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded.push_back(text[at]);
      continue;
    }
    const int high = at + 2 < text.size() ? hex_value(text[at + 1]) : -1;
    const int low = at + 2 < text.size() ? hex_value(text[at + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    decoded.push_back(static_cast<char>(high * 16 + low));
    at += 2;
  }
  return decoded;
}

std::optional<QueryPairs> parse_query(std::string_view query) {
  QueryPairs pairs;
  while (!query.empty()) {
    const size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (item.empty()) continue;
    const size_t equals = std::min(item.find('='), item.size());
    auto key = percent_decode(item.substr(0, equals));
    auto value = percent_decode(item.substr(std::min(equals + 1, item.size())));
    if (!key || !value) return std::nullopt;
    pairs.emplace_back(*std::move(key), *std::move(value));
  }
  return pairs;
}

std::string response_bytes(const HttpResponse& response, const HttpResponseStyle& style,
                           int64_t now_s) {
  std::string out = "HTTP/1.1 " + std::to_string(response.status) + " ";
  out.append(reason_phrase(response.status)).append(kLineEnd);
  append_header(out, "Date", http_date(now_s));
  append_header(out, "Content-Type", response.content_type);
  append_header(out, "Content-Length", std::to_string(response.body.size()));
  // Figures of this moment; and text that a device chose must never be taken for a page.
  append_header(out, "Cache-Control", "no-store");
  append_header(out, "X-Content-Type-Options", "nosniff");
  append_header(out, "Connection", style.keeps_alive ? "keep-alive" : "close");
  for (const HttpHeader& header : response.headers) append_header(out, header.name, header.value);
  out.append(kLineEnd);
  if (style.has_body) out.append(response.body);
  return out;
}

}  // namespace holdfast
