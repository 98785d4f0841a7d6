#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "gateway/options.h"
#include "tests/unit/support/temporary_folder.h"

namespace holdfast {

using std::filesystem::path;

class OptionsFixture : public test::TemporaryFolder {
 protected:
  // The error of a file with this text, with the directory's name cut away.
  std::string error_of(std::string_view text,
                       const std::vector<std::string>& overrides = {}) const {
    return error_text(load_options(write("a.toml", text), overrides));
  }
  std::string error_text(const Result<Options>& result) const {
    if (result.is_ok()) return "no error";
    return shortened(result.status().message());
  }
  Options loaded(std::string_view text, const std::vector<std::string>& overrides = {}) const {
    const Result<Options> result = load_options(write("a.toml", text), overrides);
    EXPECT_TRUE(result.is_ok()) << result.status().message();
    return result.is_ok() ? result.value() : Options{};
  }
};

inline std::string set_error(const std::string& assignment) {
  const Result<Options> result = load_options("", {assignment});
  return result.is_ok() ? "no error" : result.status().message();
}

inline Address address(std::string_view text) { return Address::parse(text).value(); }

inline bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace holdfast
