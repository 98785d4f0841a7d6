#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "gateway/options.h"

namespace holdfast {

using std::filesystem::path;

// A directory of its own for each test, removed at its end.
class OptionsFixture : public testing::Test {
 protected:
  OptionsFixture() {
    std::string pattern = (std::filesystem::temp_directory_path() / "options-XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
  }
  ~OptionsFixture() override { std::filesystem::remove_all(directory_); }

  path write(std::string_view name, std::string_view text, mode_t mode = 0600) const {
    const path file = directory_ / name;
    std::ofstream(file, std::ios::binary) << text;
    EXPECT_EQ(::chmod(file.c_str(), mode), 0);
    return file;
  }

  // The error of a file with this text, with the directory's name cut away.
  std::string error_of(std::string_view text,
                       const std::vector<std::string>& overrides = {}) const {
    return error_text(load_options(write("a.toml", text), overrides));
  }
  std::string error_text(const Result<Options>& result) const {
    if (result.is_ok()) return "no error";
    std::string message = result.status().message();
    const std::string prefix = directory_.string() + "/";
    for (size_t at = message.find(prefix); at != std::string::npos; at = message.find(prefix)) {
      message.erase(at, prefix.size());
    }
    return message;
  }
  Options loaded(std::string_view text, const std::vector<std::string>& overrides = {}) const {
    const Result<Options> result = load_options(write("a.toml", text), overrides);
    EXPECT_TRUE(result.is_ok()) << result.status().message();
    return result.is_ok() ? result.value() : Options{};
  }

  path directory_;
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
