#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "common/check.h"

namespace holdfast {

// The outcome of something that the environment may refuse (a file, a port, a limit). The message
// is one plain sentence for the operator, with the mend in it where there is one.
class [[nodiscard]] Status final {
 public:
  static Status ok() { return Status{}; }
  static Status error(std::string message) {
    Status status;
    status.failed_ = true;
    status.message_ = std::move(message);
    return status;
  }

  bool is_ok() const { return !failed_; }
  const std::string& message() const { return message_; }

 private:
  bool failed_ = false;
  std::string message_;
};

// A value, or the Status that says why there is none.
template <class T>
class [[nodiscard]] Result final {
 public:
  Result(T value)
      : state_(std::move(value)) {}  // NOLINT: implicit, so that `return value;` reads well
  Result(Status status) : state_(std::move(status)) {  // NOLINT
    HF_CHECK(!std::get<Status>(state_).is_ok());
  }

  bool is_ok() const { return std::holds_alternative<T>(state_); }
  T& value() {
    HF_CHECK(is_ok());
    return std::get<T>(state_);
  }
  const T& value() const {
    HF_CHECK(is_ok());
    return std::get<T>(state_);
  }
  Status status() const { return is_ok() ? Status::ok() : std::get<Status>(state_); }

 private:
  std::variant<T, Status> state_;
};

}  // namespace holdfast
