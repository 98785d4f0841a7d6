#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "gateway/api/http_message.h"

namespace holdfast {

// JSON as the admin interface writes it: keys in the order in which they were set.
using Json = nlohmann::ordered_json;

// Escapes what peers chose; bytes that are not UTF-8 become U+FFFD.
HttpResponse json_response(int status, const Json& body);

// {"error":{"code","message"}}. `code` is for programs, `message` one sentence for the operator.
HttpResponse error_response(int status, std::string_view code, std::string_view message);

HttpResponse text_response(int status, std::string text);

}  // namespace holdfast
