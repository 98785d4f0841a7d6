#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/address.h"
#include "common/protocol/frame.h"

namespace holdfast {

// Who is at the other end of a connection: its address, and once it has said HELLO its device id
// and attributes. 26 bytes of its own while the address is IPv4, the id has at most 19 characters
// (a MAC 12, an IMEI 15) and there are no attributes; else one allocation of exactly the size.
class PeerIdentity final {
 public:
  PeerIdentity() = default;  // 0.0.0.0:0, no device
  explicit PeerIdentity(const Address& address) { set_address(address); }
  PeerIdentity(PeerIdentity&& other) noexcept;
  PeerIdentity& operator=(PeerIdentity&& other) noexcept;
  PeerIdentity(const PeerIdentity&) = delete;
  PeerIdentity& operator=(const PeerIdentity&) = delete;
  ~PeerIdentity() { free_heap(); }

  void set_address(const Address& address);
  void set_device(std::string_view device_id, const Attributes& attributes);

  Address address() const;
  // What these point at lives until the next set_...().
  std::string_view device_id() const;
  Attributes attributes() const;
  // Bytes held beyond this object.
  size_t heap_bytes() const;

 private:
  static constexpr size_t kInlineIdBytesMax = 19;
  static constexpr size_t kFields = 5;  // device id, user, app, os, net
  static constexpr uint8_t kOnHeap = 0xFF;
  using Fields = std::array<std::string_view, kFields>;

  bool is_on_heap() const { return id_length_ == kOnHeap; }
  const char* heap() const;
  Fields fields() const;
  // `fields` may point into what this holds.
  void store(const Address& address, const Fields& fields);
  void free_heap();

  // IPv4 address and port in its first six bytes and the id behind them; or, on the heap, the
  // pointer and the size: an Address, then each field as a length byte and its bytes.
  std::array<char, 6 + kInlineIdBytesMax> bytes_{};
  uint8_t id_length_ = 0;  // or kOnHeap
};

static_assert(sizeof(PeerIdentity) == 26);

}  // namespace holdfast
