#include "tools/conn_flood/wire.h"

#include <array>

#include "common/check.h"

namespace holdfast::flood::wire {
namespace {

constexpr size_t kEchoBytes = 8;
// The most that a server can be configured to send; docs/protocol.md, "frame".
constexpr uint32_t kBodyBytesMax = 16 << 20;

size_t checked(size_t written) {
  HF_CHECK(written > 0);
  return written;
}

}  // namespace

size_t write_hello(std::string_view device_id, uint16_t heartbeat_s, std::span<std::byte> out) {
  Hello hello;
  hello.heartbeat_s = heartbeat_s;
  hello.device_id = device_id;
  return checked(native::encode(hello, out));
}

size_t write_ping(uint64_t planned_us, std::span<std::byte> out) {
  std::array<std::byte, kEchoBytes> echo{};
  for (size_t i = 0; i < kEchoBytes; ++i) {
    echo[i] = static_cast<std::byte>(planned_us >> (8 * (kEchoBytes - 1 - i)));
  }
  return checked(native::encode(Ping{echo}, out));
}

size_t write_pong(std::span<const std::byte> echo, std::span<std::byte> out) {
  Pong pong;
  pong.echo = echo;
  return checked(native::encode(pong, out));
}

size_t write_ack(uint32_t id, std::span<std::byte> out) {
  return checked(native::encode(Ack{id, AckStatus::kOk}, out));
}

size_t write_goodbye(std::span<std::byte> out) { return checked(native::encode(Goaway{}, out)); }

size_t write_half_ping(std::span<std::byte> out) {
  const size_t whole = write_ping(0, out);
  return whole - kEchoBytes;
}

size_t write_long_ping(std::span<std::byte> out) {
  const std::array<std::byte, kPingBytesMax> echo{};
  return checked(native::encode(Ping{echo}, out));
}

bool read_echo(std::span<const std::byte> echo, uint64_t& planned_us) {
  if (echo.size() != kEchoBytes) return false;
  planned_us = 0;
  for (const std::byte byte : echo) planned_us = planned_us << 8 | static_cast<uint64_t>(byte);
  return true;
}

native::DecodeResult read_frame(std::span<const std::byte> input) {
  native::FrameLimits limits;
  limits.body_bytes_max = kBodyBytesMax;
  limits.sender = native::Sender::kServer;
  return native::decode_frame(input, limits);
}

}  // namespace holdfast::flood::wire
