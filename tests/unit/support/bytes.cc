#include "tests/unit/support/bytes.h"

#include "common/check.h"

namespace holdfast::test {
namespace {

unsigned digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  HF_CHECK(c >= 'A' && c <= 'F');
  return static_cast<unsigned>(c - 'A') + 10;
}

}  // namespace

Bytes from_hex(std::string_view hex) {
  Bytes bytes;
  unsigned digits = 0;
  unsigned value = 0;
  for (const char c : hex) {
    if (c == ' ') continue;
    value = value << 4 | digit_value(c);
    if (++digits % 2 != 0) continue;
    bytes.push_back(static_cast<std::byte>(value));
    value = 0;
  }
  HF_CHECK(digits % 2 == 0);
  return bytes;
}

Bytes from_text(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string to_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> prefix_of(const Bytes& bytes, size_t count) {
  HF_CHECK(count <= bytes.size());
  return {bytes.data(), count};
}

Bytes operator+(Bytes front, const Bytes& back) {
  front.insert(front.end(), back.begin(), back.end());
  return front;
}

Bytes str8(std::string_view text) {
  HF_CHECK(text.size() <= 255);
  return Bytes{static_cast<std::byte>(text.size())} + from_text(text);
}

Bytes str16(std::string_view text) {
  HF_CHECK(text.size() <= 65535);
  return Bytes{static_cast<std::byte>(text.size() >> 8), static_cast<std::byte>(text.size())} +
         from_text(text);
}

Bytes repeated(size_t count, uint8_t value) { return Bytes(count, std::byte{value}); }

}  // namespace holdfast::test
