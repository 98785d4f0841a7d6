#pragma once

#include <nlohmann/json_fwd.hpp>

#include "gateway/api/json_response.h"
#include "gateway/route/command.h"

namespace holdfast {

// A session as operators see it. Its id is text, since JSON's readers keep 53 bits of a number.
Json session_json(const SessionView& view);

}  // namespace holdfast
