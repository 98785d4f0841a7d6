#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/options.h"

// What settings that are right each by itself say together. Pure: reads no file.
namespace holdfast {

// A rule that does not hold, and the settings it speaks of, the likeliest culprit first. A key of a
// listener has its number behind it.
struct RuleBreach {
  std::vector<std::string> keys;
  std::string text;

  bool operator==(const RuleBreach&) const = default;
};

std::vector<RuleBreach> find_breaches(const Options& options);

// "listener.bind#1": this key of the second listener.
std::string numbered_key(std::string_view key, size_t listener);

}  // namespace holdfast
