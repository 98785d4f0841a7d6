#pragma once

#include <filesystem>
#include <string>

#include "common/status.h"

namespace holdfast {

// The admin token: the first line of `file`, without blanks around it. Refused when others than the
// file's owner may read it, or when it is short enough to guess (under 16 characters) or not
// printable.
Result<std::string> read_token_file(const std::filesystem::path& file);

}  // namespace holdfast
