#include "gateway/port_list.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <system_error>

namespace holdfast {
namespace {

std::optional<uint16_t> to_port(std::string_view text) {
  uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

PortList PortList::parse(std::string_view text) {
  PortList list;
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    const size_t dash = part.find('-');
    const auto first = to_port(part.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : to_port(part.substr(dash + 1));
    if (!first || !last) continue;
    for (uint32_t port = *first; port <= *last; ++port) list.add(static_cast<uint16_t>(port));
  }
  return list;
}

std::string PortList::text() const {
  std::string text;
  for (uint32_t port = 0; port < kPorts; ++port) {
    if (!ports_.test(port)) continue;
    uint32_t last = port;
    while (last + 1 < kPorts && ports_.test(last + 1)) ++last;
    if (!text.empty()) text += ',';
    text += std::to_string(port);
    if (last > port) text += '-' + std::to_string(last);
    port = last;
  }
  return text;
}

}  // namespace holdfast
