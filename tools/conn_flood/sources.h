#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/address.h"
#include "common/status.h"

// The addresses that clients connect from. One address has one set of ports for each target, and a
// kernel that searches a nearly full set for a free one is slow, so many connections want many
// sources.
namespace holdfast::flood {

inline constexpr size_t kSourcesMax = 65536;
// Beyond this many connections to a loopback target, the default is to spread over sources.
inline constexpr uint32_t kConnectionsPerDefaultSource = 2000;

// Addresses and ranges (first-last, both included, the same in all but their last four bytes)
// between commas: "127.0.0.2-127.0.0.60,10.0.0.1". Without ports. At most kSourcesMax, none twice.
[[nodiscard]] Result<std::vector<Address>> parse_sources(std::string_view text);

// What to connect from when the user named no source: nothing (the kernel picks), or 127.0.0.2 and
// on when every target is IPv4 loopback and takes more than kConnectionsPerDefaultSource.
[[nodiscard]] std::vector<Address> default_sources(std::span<const Address> targets,
                                                   uint32_t connections);

struct PortRange {
  uint32_t first = 32768;
  uint32_t last = 60999;
  uint32_t size() const { return last - first + 1; }
};

// net.ipv4.ip_local_port_range, or the kernel's default when it cannot be read.
[[nodiscard]] PortRange local_port_range();

// Whether the ports of all sources hold the connections; if not, says so with the mend.
[[nodiscard]] Status check_ports(uint32_t connections, size_t sources, size_t targets,
                                 PortRange ports);

}  // namespace holdfast::flood
