#include "gateway/session/device_identity.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/check.h"

namespace holdfast {
namespace {

constexpr size_t kFields = 5;
constexpr size_t kFieldBytesMax = 255;

}  // namespace

DeviceIdentity::DeviceIdentity(std::string_view device_id, const Attributes& attributes) {
  const std::array<std::string_view, kFields> fields = {device_id, attributes.user, attributes.app,
                                                        attributes.os, attributes.net};
  size_t size = 0;
  for (const std::string_view field : fields) {
    HF_CHECK(field.size() <= kFieldBytesMax);
    size += 1 + field.size();
  }
  clear_inline();
  if (device_id.size() <= kInlineIdBytesMax && size == device_id.size() + kFields) {
    std::memcpy(inline_, device_id.data(), device_id.size());
    inline_[kInlineIdBytesMax] = static_cast<uint8_t>(device_id.size());
    return;
  }
  heap_ = {new char[size], static_cast<uint16_t>(size)};
  inline_[sizeof inline_ - 1] = kOnHeap;
  char* out = heap_.data;
  for (const std::string_view field : fields) {
    *out++ = static_cast<char>(field.size());
    // Not memcpy: an absent field is a null pointer, which memcpy may not be given.
    out = std::copy(field.begin(), field.end(), out);
  }
}

DeviceIdentity::DeviceIdentity(DeviceIdentity&& other) noexcept {
  std::memcpy(inline_, other.inline_, sizeof inline_);
  other.clear_inline();
}

DeviceIdentity& DeviceIdentity::operator=(DeviceIdentity&& other) noexcept {
  if (this == &other) return *this;
  free_heap();
  std::memcpy(inline_, other.inline_, sizeof inline_);
  other.clear_inline();
  return *this;
}

std::string_view DeviceIdentity::device_id() const {
  if (is_on_heap()) return heap_field(0);
  return {reinterpret_cast<const char*>(inline_), inline_[kInlineIdBytesMax]};
}

Attributes DeviceIdentity::attributes() const {
  if (!is_on_heap()) return {};
  return {.user = heap_field(1), .app = heap_field(2), .os = heap_field(3), .net = heap_field(4)};
}

size_t DeviceIdentity::heap_bytes() const { return is_on_heap() ? heap_.size : 0; }

std::string_view DeviceIdentity::heap_field(size_t index) const {
  const char* at = heap_.data;
  for (size_t i = 0; i < index; ++i) at += 1 + static_cast<uint8_t>(*at);
  return {at + 1, static_cast<uint8_t>(*at)};
}

void DeviceIdentity::free_heap() {
  if (is_on_heap()) delete[] heap_.data;
}

void DeviceIdentity::clear_inline() { std::memset(inline_, 0, sizeof inline_); }

}  // namespace holdfast
