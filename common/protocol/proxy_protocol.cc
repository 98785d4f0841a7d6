#include "common/protocol/proxy_protocol.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace holdfast::proxy_protocol {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kTextPrefix = "PROXY ";
constexpr size_t kTextBytesMax = 107;

constexpr std::string_view kBinarySignature = "\r\n\r\n\0\r\nQUIT\n"sv;
constexpr size_t kBinaryHeadBytes = 16;
constexpr uint8_t kBinaryVersion = 2;

ParseResult bad() {
  ParseResult result;
  result.status = ParseStatus::kBad;
  return result;
}

ParseResult header_without_source(size_t consumed) {
  ParseResult result;
  result.status = ParseStatus::kHeader;
  result.consumed = consumed;
  return result;
}

// Takes the text up to the next space, and the space. Nothing when there is no space.
std::optional<std::string_view> take_word(std::string_view& line) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const std::string_view word = line.substr(0, space);
  line.remove_prefix(space + 1);
  return word;
}

// inet_pton() stops at a NUL, so that it would take "10.0.0.1\0..." for an address.
bool has_address_characters_only(std::string_view text) {
  return text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

// inet_pton() is strict enough: four canonical decimals, or IPv6 of exactly 128 bits.
bool read_address(std::string_view text, bool is_ipv4, std::array<uint8_t, 16>& bytes) {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size() || !has_address_characters_only(text)) return false;
  std::copy(text.begin(), text.end(), terminated.begin());
  return inet_pton(is_ipv4 ? AF_INET : AF_INET6, terminated.data(), bytes.data()) == 1;
}

// A port without leading zeros: two readers must not see two numbers.
bool read_port(std::string_view text, uint16_t& port) {
  if (text.empty() || (text.size() > 1 && text[0] == '0')) return false;
  const char* const text_end = text.data() + text.size();
  const auto [end, failure] = std::from_chars(text.data(), text_end, port);
  return failure == std::errc{} && end == text_end;
}

// `line` is what stands between "PROXY " and CRLF.
ParseResult parse_text_line(std::string_view line, size_t consumed) {
  ParseResult result = header_without_source(consumed);
  // What follows UNKNOWN is to be ignored (section 2.1).
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return result;
  const auto family = take_word(line);
  if (family != "TCP4" && family != "TCP6") return bad();
  result.is_ipv4 = family == "TCP4";
  const auto source = take_word(line);
  const auto destination = take_word(line);
  const auto source_port = take_word(line);
  const std::string_view destination_port = line;
  if (!source || !destination || !source_port) return bad();
  std::array<uint8_t, 16> unused_bytes{};
  uint16_t unused_port = 0;
  if (!read_address(*source, result.is_ipv4, result.source_bytes) ||
      !read_address(*destination, result.is_ipv4, unused_bytes) ||
      !read_port(*source_port, result.source_port) || !read_port(destination_port, unused_port)) {
    return bad();
  }
  result.has_source = true;
  return result;
}

// `input` begins with kTextPrefix.
ParseResult parse_text(std::string_view input) {
  const std::string_view possible = input.substr(0, kTextBytesMax);
  const size_t line_end = possible.find("\r\n");
  if (line_end == std::string_view::npos) {
    return possible.size() == kTextBytesMax ? bad() : ParseResult{};
  }
  return parse_text_line(possible.substr(kTextPrefix.size(), line_end - kTextPrefix.size()),
                         line_end + 2);
}

enum class Command : uint8_t { kLocal = 0, kProxy = 1 };

uint8_t byte_at(std::string_view input, size_t at) { return static_cast<uint8_t>(input[at]); }

uint16_t u16_at(std::string_view input, size_t at) {
  return static_cast<uint16_t>(byte_at(input, at) << 8 | byte_at(input, at + 1));
}

// The bytes of the two addresses and ports that a family announces; 0 for one without a use here
// (unspecified, datagrams, Unix sockets), whose block is passed over.
size_t address_block_bytes(uint8_t family) {
  if (family == 0x11) return 12;
  if (family == 0x21) return 36;
  return 0;
}

// Section 2.2: address families 0 to 3 and transports 0 to 2 exist, others must be refused.
bool is_assigned_family(uint8_t family) { return (family >> 4) <= 3 && (family & 0xF) <= 2; }

// Judges the 13th to 16th byte, each as soon as it is there.
bool is_binary_head_so_far(std::string_view input) {
  if (input.size() < 13) return true;
  const uint8_t version = byte_at(input, 12) >> 4;
  const uint8_t command = byte_at(input, 12) & 0xF;
  if (version != kBinaryVersion || command > static_cast<uint8_t>(Command::kProxy)) return false;
  if (input.size() < 14) return true;
  const uint8_t family = byte_at(input, 13);
  // LOCAL's family is to be ignored, whatever it is.
  const bool is_proxy = command == static_cast<uint8_t>(Command::kProxy);
  if (is_proxy && !is_assigned_family(family)) return false;
  if (input.size() < kBinaryHeadBytes) return true;
  const size_t length = u16_at(input, 14);
  if (length > kHeaderBytesMax - kBinaryHeadBytes) return false;
  return !is_proxy || length >= address_block_bytes(family);
}

// `input` begins with kBinarySignature.
ParseResult parse_binary(std::string_view input) {
  if (!is_binary_head_so_far(input)) return bad();
  if (input.size() < kBinaryHeadBytes) return {};
  const size_t total = kBinaryHeadBytes + u16_at(input, 14);
  if (input.size() < total) return {};
  ParseResult result = header_without_source(total);
  const size_t block_bytes = address_block_bytes(byte_at(input, 13));
  if ((byte_at(input, 12) & 0xF) == static_cast<uint8_t>(Command::kLocal) || block_bytes == 0) {
    return result;
  }
  // Source address, destination address, source port, destination port.
  const size_t address_bytes = (block_bytes - 4) / 2;
  result.has_source = true;
  result.is_ipv4 = address_bytes == 4;
  const std::string_view source = input.substr(kBinaryHeadBytes, address_bytes);
  std::transform(source.begin(), source.end(), result.source_bytes.begin(),
                 [](char c) { return static_cast<uint8_t>(c); });
  result.source_port = u16_at(input, kBinaryHeadBytes + 2 * address_bytes);
  return result;
}

}  // namespace

ParseResult parse(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  if (text.starts_with(kTextPrefix)) return parse_text(text);
  if (text.starts_with(kBinarySignature)) return parse_binary(text);
  const bool may_become_one = kTextPrefix.starts_with(text) || kBinarySignature.starts_with(text);
  return may_become_one ? ParseResult{} : bad();
}

}  // namespace holdfast::proxy_protocol
