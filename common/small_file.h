#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

#include "common/status.h"

namespace holdfast {

enum class FilePrivacy {
  kAny,
  kOwnerOnly,  // refused when its mode gives group or others anything; checked on the open file
};

// Reads a whole regular file of at most `bytes_max`. Never waits: a pipe or a device in its place
// is refused, not read. Errors name the file and what mends them.
Result<std::string> read_small_file(const std::filesystem::path& file, size_t bytes_max,
                                    FilePrivacy privacy);

}  // namespace holdfast
