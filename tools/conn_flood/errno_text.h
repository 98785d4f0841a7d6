#pragma once

#include <cstring>
#include <string>

namespace holdfast::flood {

// What an errno means, in words.
// Thread: any, unlike strerror(3).
inline std::string errno_text(int error) {
  const char* text = ::strerrordesc_np(error);
  return text == nullptr ? "error " + std::to_string(error) : text;
}

}  // namespace holdfast::flood
