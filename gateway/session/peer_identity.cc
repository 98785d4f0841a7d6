#include "gateway/session/peer_identity.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "common/check.h"

namespace holdfast {
namespace {

constexpr size_t kAddressBytes = 4;
constexpr size_t kPortAt = kAddressBytes;
constexpr size_t kIdAt = 6;
constexpr size_t kFieldBytesMax = 255;

static_assert(std::is_trivially_copyable_v<Address>);

std::string_view field_at(const char* length_byte) {
  return {length_byte + 1, static_cast<uint8_t>(*length_byte)};
}

}  // namespace

PeerIdentity::PeerIdentity(PeerIdentity&& other) noexcept
    : bytes_(other.bytes_), id_length_(other.id_length_) {
  other.bytes_ = {};
  other.id_length_ = 0;
}

PeerIdentity& PeerIdentity::operator=(PeerIdentity&& other) noexcept {
  if (this == &other) return *this;
  free_heap();
  bytes_ = other.bytes_;
  id_length_ = other.id_length_;
  other.bytes_ = {};
  other.id_length_ = 0;
  return *this;
}

void PeerIdentity::set_address(const Address& address) { store(address, fields()); }

void PeerIdentity::set_device(std::string_view device_id, const Attributes& attributes) {
  store(address(), {device_id, attributes.user, attributes.app, attributes.os, attributes.net});
}

Address PeerIdentity::address() const {
  if (is_on_heap()) {
    Address address;
    std::memcpy(static_cast<void*>(&address), heap(), sizeof address);
    return address;
  }
  std::array<uint8_t, kAddressBytes> host{};
  uint16_t port = 0;
  std::memcpy(host.data(), bytes_.data(), host.size());
  std::memcpy(&port, bytes_.data() + kPortAt, sizeof port);
  return Address::from_ipv4(host, port);
}

std::string_view PeerIdentity::device_id() const {
  if (is_on_heap()) return field_at(heap() + sizeof(Address));
  return {bytes_.data() + kIdAt, id_length_};
}

Attributes PeerIdentity::attributes() const {
  const Fields all = fields();
  return {.user = all[1], .app = all[2], .os = all[3], .net = all[4]};
}

size_t PeerIdentity::heap_bytes() const {
  if (!is_on_heap()) return 0;
  uint16_t size = 0;
  std::memcpy(&size, bytes_.data() + sizeof(char*), sizeof size);
  return size;
}

const char* PeerIdentity::heap() const {
  char* data = nullptr;
  std::memcpy(&data, bytes_.data(), sizeof data);
  return data;
}

PeerIdentity::Fields PeerIdentity::fields() const {
  Fields all{device_id()};
  if (!is_on_heap()) return all;
  const char* at = heap() + sizeof(Address);
  for (std::string_view& field : all) {
    field = field_at(at);
    at += 1 + field.size();
  }
  return all;
}

void PeerIdentity::store(const Address& address, const Fields& fields) {
  size_t size = sizeof(Address);
  for (const std::string_view field : fields) {
    HF_CHECK(field.size() <= kFieldBytesMax);
    size += 1 + field.size();
  }
  PeerIdentity made;
  const size_t id_bytes = fields[0].size();
  const bool has_attributes = size > sizeof(Address) + kFields + id_bytes;
  if (address.is_ipv4() && id_bytes <= kInlineIdBytesMax && !has_attributes) {
    const uint16_t port = address.port();
    std::memcpy(made.bytes_.data(),
                address.bytes().data() + sizeof(address.bytes()) - kAddressBytes, kAddressBytes);
    std::memcpy(made.bytes_.data() + kPortAt, &port, sizeof port);
    std::copy(fields[0].begin(), fields[0].end(), made.bytes_.data() + kIdAt);
    made.id_length_ = static_cast<uint8_t>(id_bytes);
  } else {
    char* const data = new char[size];
    const auto heap_size = static_cast<uint16_t>(size);
    std::memcpy(made.bytes_.data(), &data, sizeof data);
    std::memcpy(made.bytes_.data() + sizeof data, &heap_size, sizeof heap_size);
    made.id_length_ = kOnHeap;
    std::memcpy(data, &address, sizeof address);
    char* out = data + sizeof address;
    for (const std::string_view field : fields) {
      *out++ = static_cast<char>(field.size());
      // Not memcpy: an absent field is a null pointer, which memcpy may not be given.
      out = std::copy(field.begin(), field.end(), out);
    }
  }
  *this = std::move(made);
}

void PeerIdentity::free_heap() {
  if (is_on_heap()) delete[] heap();
}

}  // namespace holdfast
