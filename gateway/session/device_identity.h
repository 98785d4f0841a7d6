#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "common/protocol/frame.h"

namespace holdfast {

// A device's id and attributes, in 24 bytes of its own when it has no attributes and its id is of
// at most 22 characters (most are: a UUID without dashes is 32, a MAC 12, an IMEI 15), else in one
// allocation of exactly the size.
class DeviceIdentity final {
 public:
  DeviceIdentity() { clear_inline(); }
  DeviceIdentity(std::string_view device_id, const Attributes& attributes);
  DeviceIdentity(DeviceIdentity&& other) noexcept;
  DeviceIdentity& operator=(DeviceIdentity&& other) noexcept;
  DeviceIdentity(const DeviceIdentity&) = delete;
  DeviceIdentity& operator=(const DeviceIdentity&) = delete;
  ~DeviceIdentity() { free_heap(); }

  std::string_view device_id() const;
  Attributes attributes() const;
  // Bytes held beyond this object.
  size_t heap_bytes() const;

 private:
  static constexpr size_t kInlineIdBytesMax = 22;
  static constexpr uint8_t kOnHeap = 0xFF;

  // On the heap stand the device id, user, app, os and net, each as a length byte and its bytes.
  struct Heap {
    char* data;
    uint16_t size;
  };

  bool is_on_heap() const { return inline_[sizeof inline_ - 1] == kOnHeap; }
  std::string_view heap_field(size_t index) const;
  void free_heap();
  void clear_inline();

  union {
    Heap heap_;
    uint8_t inline_[24];  // the id's bytes; [22] its length; [23] kOnHeap or 0
  };
};

static_assert(sizeof(DeviceIdentity) == 24);

}  // namespace holdfast
