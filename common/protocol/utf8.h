#pragma once

#include <string_view>

namespace holdfast {

// Well-formed UTF-8 (RFC 3629, section 4): no overlong forms, no surrogates, nothing above
// U+10FFFF.
[[nodiscard]] bool is_valid_utf8(std::string_view text);

}  // namespace holdfast
