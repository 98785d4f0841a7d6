#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>

namespace holdfast {

// A set of ports as the kernel writes it in ip_local_reserved_ports: "7000,7080,9000-9010".
class PortList final {
 public:
  // What is not a port or a range of ports is passed over.
  static PortList parse(std::string_view text);

  void add(uint16_t port) { ports_.set(port); }
  bool contains(uint16_t port) const { return ports_.test(port); }
  std::string text() const;  // sorted, neighbours joined to ranges; empty for no port

 private:
  static constexpr uint32_t kPorts = 65536;
  std::bitset<kPorts> ports_;
};

}  // namespace holdfast
