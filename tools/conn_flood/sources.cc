#include "tools/conn_flood/sources.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <string>

namespace holdfast::flood {
namespace {

constexpr size_t kHostBytes = 16;
constexpr size_t kRangedBytes = 4;

uint32_t low_word(const Address& address) {
  uint32_t word = 0;
  for (size_t i = kHostBytes - kRangedBytes; i < kHostBytes; ++i) {
    word = word << 8 | address.bytes()[i];
  }
  return word;
}

Address with_low_word(const Address& address, uint32_t word) {
  std::array<uint8_t, kHostBytes> bytes = address.bytes();
  for (size_t i = 0; i < kRangedBytes; ++i) {
    bytes[kHostBytes - 1 - i] = static_cast<uint8_t>(word >> (8 * i));
  }
  return Address::from_ipv6(bytes, 0);
}

// One address, or first-last.
Result<std::vector<Address>> parse_item(std::string_view item) {
  const size_t dash = item.find('-');
  const Result<Address> first = Address::parse_host(item.substr(0, dash));
  if (!first.is_ok()) return first.status();
  if (dash == std::string_view::npos) return std::vector{first.value()};

  const Result<Address> last = Address::parse_host(item.substr(dash + 1));
  if (!last.is_ok()) return last.status();
  const std::string name(item);
  const auto& low = first.value().bytes();
  if (!std::equal(low.begin(), low.end() - kRangedBytes, last.value().bytes().begin())) {
    return Status::error("'" + name + "': the two ends are too far apart");
  }
  const uint64_t begin = low_word(first.value());
  const uint64_t end = low_word(last.value());
  if (begin > end) return Status::error("'" + name + "': the first address is above the last");
  if (end - begin >= kSourcesMax) {
    return Status::error("'" + name + "' is more than " + std::to_string(kSourcesMax) +
                         " addresses");
  }
  std::vector<Address> range;
  for (uint64_t word = begin; word <= end; ++word) {
    range.push_back(with_low_word(first.value(), static_cast<uint32_t>(word)));
  }
  return range;
}

}  // namespace

Result<std::vector<Address>> parse_sources(std::string_view text) {
  std::vector<Address> sources;
  std::set<Address> seen;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    const Result<std::vector<Address>> item = parse_item(text.substr(begin, comma - begin));
    if (!item.is_ok()) return item.status();
    for (const Address& source : item.value()) {
      if (!seen.insert(source).second) {
        return Status::error(source.host_text() + " is named twice");
      }
      sources.push_back(source);
    }
    if (sources.size() > kSourcesMax) {
      return Status::error("more than " + std::to_string(kSourcesMax) + " addresses");
    }
    begin = comma + 1;
  }
  return sources;
}

std::vector<Address> default_sources(std::span<const Address> targets, uint32_t connections) {
  const bool all_loopback = std::all_of(targets.begin(), targets.end(), [](const Address& target) {
    return target.is_ipv4() && target.is_loopback();
  });
  if (!all_loopback || connections / targets.size() <= kConnectionsPerDefaultSource) return {};
  const uint64_t wanted = (connections / targets.size() + kConnectionsPerDefaultSource - 1) /
                          kConnectionsPerDefaultSource;
  const Address first = Address::from_ipv4({127, 0, 0, 2}, 0);
  std::vector<Address> sources;
  for (uint64_t i = 0; i < std::min<uint64_t>(wanted, kSourcesMax); ++i) {
    sources.push_back(with_low_word(first, low_word(first) + static_cast<uint32_t>(i)));
  }
  return sources;
}

PortRange local_port_range() {
  std::ifstream file("/proc/sys/net/ipv4/ip_local_port_range");
  PortRange range;
  uint32_t first = 0;
  uint32_t last = 0;
  if (file >> first >> last && first <= last && last <= 65535) range = {first, last};
  return range;
}

Status check_ports(uint32_t connections, size_t sources, size_t targets, PortRange ports) {
  const uint64_t room = uint64_t{ports.size()} * std::max<size_t>(sources, 1) * targets;
  if (connections <= room) return Status::ok();
  return Status::error(
      std::to_string(connections) + " connections need more client ports than there are (" +
      std::to_string(room) + ": ports " + std::to_string(ports.first) + " to " +
      std::to_string(ports.last) + " of " + std::to_string(std::max<size_t>(sources, 1)) +
      " source addresses to " + std::to_string(targets) +
      " targets); name more --sources, or widen: sysctl -w net.ipv4.ip_local_port_range=\"1024 "
      "65535\"");
}

}  // namespace holdfast::flood
