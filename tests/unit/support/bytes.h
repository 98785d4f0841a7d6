#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::test {

using Bytes = std::vector<std::byte>;

// "A0 13 48" as three bytes; blanks do not count. Anything else ends the test program.
Bytes from_hex(std::string_view hex);
Bytes from_text(std::string_view text);
std::string to_text(std::span<const std::byte> bytes);

// The first `count` of `bytes`, which must outlive the answer.
std::span<const std::byte> prefix_of(const Bytes& bytes, size_t count);

Bytes operator+(Bytes front, const Bytes& back);

// `text` with its length before it in one byte, or in two.
Bytes str8(std::string_view text);
Bytes str16(std::string_view text);

Bytes repeated(size_t count, uint8_t value);

}  // namespace holdfast::test
