#pragma once

#include <cstdint>
#include <string>

#include "gateway/api/http_message.h"

namespace holdfast {

enum class AccessVerdict : uint8_t {
  kAllowed,
  kNoToken,  // a token is set and the request shows none
  kWrongToken,
  kForeignHost,    // addressed to another name: a page that was made to point here (DNS rebinding)
  kForeignOrigin,  // sent by a page of some origin
  kClosed,         // others can reach this address and no token is set
};

// Who may use the admin interface. With a token: who shows it. Without one: programs of this
// machine, but no page in a browser, which has a Host of its own or tells its Origin. Thread:
// control.
class Access final {
 public:
  void set_token(std::string token) { token_ = std::move(token); }
  void set_reachable_by_others(bool is_reachable) { is_reachable_by_others_ = is_reachable; }
  bool has_token() const { return !token_.empty(); }

  [[nodiscard]] AccessVerdict check(const HttpRequest& request) const;

 private:
  AccessVerdict check_token(const HttpRequest& request) const;

  std::string token_;
  bool is_reachable_by_others_ = true;
};

// What to answer for anything but kAllowed.
HttpResponse refusal(AccessVerdict verdict);

}  // namespace holdfast
