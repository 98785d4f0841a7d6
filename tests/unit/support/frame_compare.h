#pragma once

#include <span>
#include <string>

#include "common/protocol/frame.h"

namespace holdfast::test {

// Everything that a frame says, as text that owns its bytes: two frames say the same when this is
// equal. Failed comparisons print it.
std::string describe(const Frame& frame);

}  // namespace holdfast::test
