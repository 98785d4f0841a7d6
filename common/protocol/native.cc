#include "common/protocol/native.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>

#include "common/check.h"
#include "common/protocol/utf8.h"

namespace holdfast::native {
namespace {

using Bytes = std::span<const std::byte>;

// The high four bits of a head.
enum class Type : uint8_t {
  kPing = 0x1,
  kPong = 0x2,
  kMessage = 0x3,
  kAck = 0x4,
  kSubscribe = 0x5,
  kUnsubscribe = 0x6,
  kGoaway = 0x7,
  kWelcome = 0x8,
  kHello = 0xA,
};

constexpr uint8_t kFlagTookOver = 1;      // WELCOME
constexpr uint8_t kFlagNewHeartbeat = 1;  // PONG
constexpr uint8_t kFlagAckWanted = 1;     // MESSAGE

constexpr std::array<uint8_t, 4> kMagic = {'H', 'F', 'G', '1'};

constexpr size_t kStr8BytesMax = 255;
constexpr size_t kStr16BytesMax = 65535;
constexpr size_t kLengthBytesMax = kHeadBytesMax - 1;
constexpr size_t kLengthValueMax = (size_t{1} << (7 * kLengthBytesMax)) - 1;

// Who may send a type, with which flags, and the bodies that can be right at all: a PING announced
// with 64 KiB is refused before a byte of it is kept.
struct TypeRule {
  bool is_from_device = false;
  bool is_from_server = false;
  uint8_t device_flags = 0;
  uint8_t server_flags = 0;
  uint32_t body_bytes_min = 0;
  uint32_t body_bytes_max = 0;

  constexpr bool is_from(Sender sender) const {
    return sender == Sender::kDevice ? is_from_device : is_from_server;
  }
  constexpr uint8_t flags_of(Sender sender) const {
    return sender == Sender::kDevice ? device_flags : server_flags;
  }
};

constexpr uint32_t kAnyBytes = kLengthValueMax;

// By type. One that is not listed has a rule that lets nobody send it.
constexpr std::array<TypeRule, 16> kRules = {{
    {},
    {true, true, 0, 0, 0, kPingBytesMax},                        // PING
    {true, true, 0, kFlagNewHeartbeat, 0, 2 + kPingBytesMax},    // PONG
    {true, true, kFlagAckWanted, kFlagAckWanted, 1, kAnyBytes},  // MESSAGE
    {true, true, 0, 0, 5, 5},                                    // ACK
    {true, false, 0, 0, 6, kAnyBytes},                           // SUBSCRIBE
    {true, false, 0, 0, 6, kAnyBytes},                           // UNSUBSCRIBE
    {true, true, 0, 0, 8, 8 + 2 * kStr8BytesMax},                // GOAWAY
    {false, true, 0, kFlagTookOver, 20, 20},                     // WELCOME
    {},
    {true, false, 0, 0, 10, kAnyBytes},  // HELLO
}};

constexpr uint8_t type_bits(std::byte head) { return static_cast<uint8_t>(head) >> 4; }
constexpr uint8_t flag_bits(std::byte head) { return static_cast<uint8_t>(head) & 0xF; }

bool is_allowed_before_welcome(Type type, Sender sender) {
  if (sender == Sender::kDevice) return type == Type::kHello;
  return type == Type::kWelcome || type == Type::kGoaway;
}

DecodeError check_head(std::byte head, const FrameLimits& limits) {
  const TypeRule& rule = kRules[type_bits(head)];
  if (!rule.is_from(limits.sender)) return DecodeError::kUnknownType;
  if ((flag_bits(head) & ~rule.flags_of(limits.sender)) != 0) return DecodeError::kUnknownFlag;
  if (limits.before_welcome &&
      !is_allowed_before_welcome(static_cast<Type>(type_bits(head)), limits.sender)) {
    return DecodeError::kOutOfOrder;
  }
  return DecodeError::kNone;
}

struct Length {
  DecodeStatus status = DecodeStatus::kNeedMore;
  uint32_t body_bytes = 0;
  size_t length_bytes = 0;
};

// Reads the length at the front of `input`, which begins behind the head's first byte.
Length read_length(Bytes input) {
  uint32_t value = 0;
  for (size_t i = 0; i < kLengthBytesMax; ++i) {
    if (i == input.size()) return {};
    const auto group = static_cast<uint8_t>(input[i]);
    value |= static_cast<uint32_t>(group & 0x7F) << (7 * i);
    if ((group & 0x80) != 0) continue;
    // A last group of zero adds nothing: the same length has a shorter form.
    if (group == 0 && i > 0) break;
    return {DecodeStatus::kFrame, value, i + 1};
  }
  return {DecodeStatus::kBad, 0, 0};
}

// Takes fields off the front of a body. A field that is not there in full, or is not what it should
// be, makes the reader fail; from then on every read gives an empty value, so that only the end
// needs a check.
class BodyReader final {
 public:
  explicit BodyReader(Bytes body) : rest_(body) {}

  bool has_failed() const { return has_failed_; }
  bool is_at_end() const { return rest_.empty(); }
  bool is_read_whole() const { return !has_failed_ && rest_.empty(); }
  void fail() {
    has_failed_ = true;
    rest_ = {};
  }

  Bytes take(size_t count) {
    if (count > rest_.size()) {
      fail();
      return {};
    }
    const Bytes taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }
  Bytes take_rest() { return take(rest_.size()); }

  template <class Number>
  Number take_number() {
    Number value = 0;
    for (const std::byte byte : take(sizeof(Number))) {
      value = static_cast<Number>(uint64_t{value} << 8 | static_cast<uint8_t>(byte));
    }
    return value;
  }

  std::string_view take_str8() { return take_text(take_number<uint8_t>()); }
  std::string_view take_str16() { return take_text(take_number<uint16_t>()); }

 private:
  std::string_view take_text(size_t count) {
    const Bytes taken = take(count);
    const std::string_view text(reinterpret_cast<const char*>(taken.data()), taken.size());
    if (is_valid_utf8(text)) return text;
    fail();
    return {};
  }

  Bytes rest_;
  bool has_failed_ = false;
};

// Key and value pairs to the end of the body. An unknown key is passed over, so that newer devices
// may tell more; a known one twice is malformed, for nobody could say which holds.
Attributes read_attributes(BodyReader& body) {
  Attributes attributes;
  struct Known {
    std::string_view key;
    std::string_view* value;
    bool is_seen = false;
  };
  std::array<Known, 4> known = {Known{"user", &attributes.user}, Known{"app", &attributes.app},
                                Known{"os", &attributes.os}, Known{"net", &attributes.net}};
  while (!body.is_at_end()) {
    const std::string_view key = body.take_str8();
    const std::string_view value = body.take_str8();
    if (body.has_failed()) break;
    for (Known& entry : known) {
      if (entry.key != key) continue;
      if (entry.is_seen) body.fail();
      entry.is_seen = true;
      *entry.value = value;
    }
  }
  return attributes;
}

Hello read_hello(BodyReader& body) {
  Hello hello;
  body.take(kMagic.size());  // judged before the body was whole
  hello.heartbeat_s = body.take_number<uint16_t>();
  hello.device_id = body.take_str8();
  if (!is_valid_device_id(hello.device_id)) body.fail();
  hello.token = body.take_str16();
  hello.attributes = read_attributes(body);
  return hello;
}

Welcome read_welcome(BodyReader& body, uint8_t flags) {
  Welcome welcome;
  welcome.took_over = (flags & kFlagTookOver) != 0;
  welcome.heartbeat_s = body.take_number<uint16_t>();
  welcome.timeout_s = body.take_number<uint16_t>();
  welcome.session_id = body.take_number<uint64_t>();
  welcome.server_time_ms = body.take_number<uint64_t>();
  return welcome;
}

Bytes read_echo(BodyReader& body) {
  const Bytes echo = body.take_rest();
  if (echo.size() > kPingBytesMax) body.fail();
  return echo;
}

Pong read_pong(BodyReader& body, uint8_t flags) {
  Pong pong;
  if ((flags & kFlagNewHeartbeat) != 0) pong.new_heartbeat_s = body.take_number<uint16_t>();
  pong.echo = read_echo(body);
  return pong;
}

Message read_message(BodyReader& body, uint8_t flags) {
  Message message;
  if ((flags & kFlagAckWanted) != 0) message.ack_id = body.take_number<uint32_t>();
  message.topic = body.take_str8();
  message.payload = body.take_rest();
  return message;
}

Ack read_ack(BodyReader& body) {
  Ack ack;
  ack.id = body.take_number<uint32_t>();
  const auto status = body.take_number<uint8_t>();
  if (status > static_cast<uint8_t>(AckStatus::kRateLimited)) body.fail();
  ack.status = static_cast<AckStatus>(status);
  return ack;
}

// SUBSCRIBE and UNSUBSCRIBE. The filters are all read once here, so that FilterList need not check.
template <class Request>
Request read_filters(BodyReader& body) {
  Request request;
  request.id = body.take_number<uint32_t>();
  const Bytes encoded = body.take_rest();
  BodyReader filters(encoded);
  do {
    if (filters.take_str8().empty()) filters.fail();
  } while (!filters.is_at_end());
  if (filters.has_failed()) body.fail();
  request.filters = FilterList(encoded);
  return request;
}

Goaway read_goaway(BodyReader& body) {
  Goaway goaway;
  goaway.code = static_cast<GoawayCode>(body.take_number<uint16_t>());
  goaway.retry_after_ms = body.take_number<uint32_t>();
  goaway.reason = body.take_str8();
  goaway.other_address = body.take_str8();
  return goaway;
}

// Reads a whole body into `frame`. False: it is malformed, and `frame` is of no use.
bool read_body(std::byte head, Bytes bytes, Frame& frame) {
  BodyReader body(bytes);
  const uint8_t flags = flag_bits(head);
  switch (static_cast<Type>(type_bits(head))) {
    case Type::kPing:
      frame = Ping{read_echo(body)};
      break;
    case Type::kPong:
      frame = read_pong(body, flags);
      break;
    case Type::kMessage:
      frame = read_message(body, flags);
      break;
    case Type::kAck:
      frame = read_ack(body);
      break;
    case Type::kSubscribe:
      frame = read_filters<Subscribe>(body);
      break;
    case Type::kUnsubscribe:
      frame = read_filters<Unsubscribe>(body);
      break;
    case Type::kGoaway:
      frame = read_goaway(body);
      break;
    case Type::kWelcome:
      frame = read_welcome(body, flags);
      break;
    case Type::kHello:
      frame = read_hello(body);
      break;
  }
  return body.is_read_whole();
}

// The bytes of the magic that have come so far are the right ones.
bool is_magic_so_far(Bytes body_so_far) {
  const size_t count = std::min(body_so_far.size(), kMagic.size());
  return std::equal(kMagic.begin(), kMagic.begin() + static_cast<std::ptrdiff_t>(count),
                    body_so_far.begin(),
                    [](uint8_t wanted, std::byte got) { return std::byte{wanted} == got; });
}

DecodeResult bad(DecodeError error) {
  DecodeResult result;
  result.status = DecodeStatus::kBad;
  result.error = error;
  return result;
}

// Writes one frame whose body's bytes are known beforehand.
class FrameWriter final {
 public:
  FrameWriter(Type type, uint8_t flags, size_t body_bytes, std::span<std::byte> out) {
    HF_CHECK(body_bytes <= kLengthValueMax);
    size_t length_bytes = 1;
    while (body_bytes >> (7 * length_bytes) != 0) ++length_bytes;
    const size_t total_bytes = 1 + length_bytes + body_bytes;
    if (out.size() < total_bytes) return;
    fits_ = true;
    out_ = out.first(total_bytes);
    put_byte(static_cast<uint8_t>(static_cast<uint8_t>(type) << 4 | flags));
    for (size_t i = 0; i < length_bytes; ++i) {
      const size_t group = body_bytes >> (7 * i) & 0x7F;
      put_byte(static_cast<uint8_t>(i + 1 < length_bytes ? group | 0x80 : group));
    }
  }

  bool fits() const { return fits_; }

  void put_byte(uint8_t value) {
    HF_CHECK(written_ < out_.size());
    out_[written_++] = std::byte{value};
  }
  template <class Number>
  void put_number(Number value) {
    for (size_t i = sizeof(Number); i-- > 0;) put_byte(static_cast<uint8_t>(value >> (8 * i)));
  }
  void put_bytes(Bytes bytes) {
    HF_CHECK(bytes.size() <= out_.size() - written_);
    std::copy(bytes.begin(), bytes.end(), out_.begin() + static_cast<std::ptrdiff_t>(written_));
    written_ += bytes.size();
  }
  void put_str8(std::string_view text) {
    put_byte(static_cast<uint8_t>(text.size()));
    put_bytes(std::as_bytes(std::span(text)));
  }
  void put_str16(std::string_view text) {
    put_number(static_cast<uint16_t>(text.size()));
    put_bytes(std::as_bytes(std::span(text)));
  }

  // The frame's bytes; all that were announced have been written.
  size_t finish() const {
    HF_CHECK(written_ == out_.size());
    return written_;
  }

 private:
  std::span<std::byte> out_;
  size_t written_ = 0;
  bool fits_ = false;
};

// A str8 holds the whole text, or as many of its characters as go into 255 bytes: half a character
// would make the frame malformed for its reader.
std::string_view cut_to_str8(std::string_view text) {
  if (text.size() <= kStr8BytesMax) return text;
  size_t end = kStr8BytesMax;
  while (end > 0 && (static_cast<uint8_t>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace

std::string_view to_text(DecodeError error) {
  switch (error) {
    case DecodeError::kNone:
      return "none";
    case DecodeError::kUnknownType:
      return "unknown frame type";
    case DecodeError::kUnknownFlag:
      return "unknown flag";
    case DecodeError::kOutOfOrder:
      return "frame out of order";
    case DecodeError::kBadLength:
      return "bad length";
    case DecodeError::kFrameTooLarge:
      return "frame too large";
    case DecodeError::kBadMagic:
      return "bad magic";
    case DecodeError::kMalformedBody:
      return "malformed body";
  }
  return "unknown error";
}

bool is_known_head(std::byte head) {
  const TypeRule& rule = kRules[type_bits(head)];
  if (!rule.is_from_device && !rule.is_from_server) return false;
  return (flag_bits(head) & ~(rule.device_flags | rule.server_flags)) == 0;
}

DecodeResult decode_frame(std::span<const std::byte> input, const FrameLimits& limits) {
  if (input.empty()) return {};
  const std::byte head = input[0];
  if (const DecodeError error = check_head(head, limits); error != DecodeError::kNone) {
    return bad(error);
  }
  const Length length = read_length(input.subspan(1));
  if (length.status == DecodeStatus::kNeedMore) return {};
  if (length.status == DecodeStatus::kBad) return bad(DecodeError::kBadLength);
  const uint32_t body_bytes_max = limits.before_welcome
                                      ? std::min(limits.body_bytes_max, kHelloBodyBytesMax)
                                      : limits.body_bytes_max;
  if (length.body_bytes > body_bytes_max) return bad(DecodeError::kFrameTooLarge);
  const TypeRule& rule = kRules[type_bits(head)];
  if (length.body_bytes < rule.body_bytes_min || length.body_bytes > rule.body_bytes_max) {
    return bad(DecodeError::kMalformedBody);
  }
  const Bytes after_head = input.subspan(1 + length.length_bytes);
  if (static_cast<Type>(type_bits(head)) == Type::kHello && !is_magic_so_far(after_head)) {
    return bad(DecodeError::kBadMagic);
  }
  DecodeResult result;
  if (after_head.size() < length.body_bytes) return result;
  if (!read_body(head, after_head.first(length.body_bytes), result.frame)) {
    return bad(DecodeError::kMalformedBody);
  }
  result.status = DecodeStatus::kFrame;
  result.consumed = 1 + length.length_bytes + length.body_bytes;
  return result;
}

size_t encode(const Hello& hello, std::span<std::byte> out) {
  HF_CHECK(is_valid_device_id(hello.device_id));
  HF_CHECK(hello.token.size() <= kStr16BytesMax);
  struct Pair {
    std::string_view key;
    std::string_view value;
  };
  const std::array<Pair, 4> pairs = {
      Pair{"user", hello.attributes.user}, Pair{"app", hello.attributes.app},
      Pair{"os", hello.attributes.os}, Pair{"net", hello.attributes.net}};
  size_t body_bytes = kMagic.size() + 2 + 1 + hello.device_id.size() + 2 + hello.token.size();
  for (const Pair& pair : pairs) {
    HF_CHECK(pair.value.size() <= kStr8BytesMax);
    if (!pair.value.empty()) body_bytes += 1 + pair.key.size() + 1 + pair.value.size();
  }
  FrameWriter writer(Type::kHello, 0, body_bytes, out);
  if (!writer.fits()) return 0;
  writer.put_bytes(std::as_bytes(std::span(kMagic)));
  writer.put_number(hello.heartbeat_s);
  writer.put_str8(hello.device_id);
  writer.put_str16(hello.token);
  for (const Pair& pair : pairs) {
    if (pair.value.empty()) continue;
    writer.put_str8(pair.key);
    writer.put_str8(pair.value);
  }
  return writer.finish();
}

size_t encode(const Welcome& welcome, std::span<std::byte> out) {
  FrameWriter writer(Type::kWelcome, welcome.took_over ? kFlagTookOver : 0, 20, out);
  if (!writer.fits()) return 0;
  writer.put_number(welcome.heartbeat_s);
  writer.put_number(welcome.timeout_s);
  writer.put_number(welcome.session_id);
  writer.put_number(welcome.server_time_ms);
  return writer.finish();
}

size_t encode(const Ping& ping, std::span<std::byte> out) {
  HF_CHECK(ping.echo.size() <= kPingBytesMax);
  FrameWriter writer(Type::kPing, 0, ping.echo.size(), out);
  if (!writer.fits()) return 0;
  writer.put_bytes(ping.echo);
  return writer.finish();
}

size_t encode(const Pong& pong, std::span<std::byte> out) {
  HF_CHECK(pong.echo.size() <= kPingBytesMax);
  const bool is_flagged = pong.new_heartbeat_s.has_value();
  FrameWriter writer(Type::kPong, is_flagged ? kFlagNewHeartbeat : 0,
                     (is_flagged ? 2 : 0) + pong.echo.size(), out);
  if (!writer.fits()) return 0;
  if (is_flagged) writer.put_number(*pong.new_heartbeat_s);
  writer.put_bytes(pong.echo);
  return writer.finish();
}

size_t encode(const Message& message, std::span<std::byte> out) {
  HF_CHECK(message.topic.size() <= kStr8BytesMax);
  HF_CHECK(message.payload.size() <= kLengthValueMax);
  const bool is_flagged = message.ack_id.has_value();
  FrameWriter writer(Type::kMessage, is_flagged ? kFlagAckWanted : 0,
                     (is_flagged ? 4 : 0) + 1 + message.topic.size() + message.payload.size(), out);
  if (!writer.fits()) return 0;
  if (is_flagged) writer.put_number(*message.ack_id);
  writer.put_str8(message.topic);
  writer.put_bytes(message.payload);
  return writer.finish();
}

size_t encode(const Ack& ack, std::span<std::byte> out) {
  FrameWriter writer(Type::kAck, 0, 5, out);
  if (!writer.fits()) return 0;
  writer.put_number(ack.id);
  writer.put_byte(static_cast<uint8_t>(ack.status));
  return writer.finish();
}

size_t encode(const Goaway& goaway, std::span<std::byte> out) {
  const std::string_view reason = cut_to_str8(goaway.reason);
  const std::string_view other_address = cut_to_str8(goaway.other_address);
  FrameWriter writer(Type::kGoaway, 0, 8 + reason.size() + other_address.size(), out);
  if (!writer.fits()) return 0;
  writer.put_number(static_cast<uint16_t>(goaway.code));
  writer.put_number(goaway.retry_after_ms);
  writer.put_str8(reason);
  writer.put_str8(other_address);
  return writer.finish();
}

bool is_valid_device_id(std::string_view id) {
  if (id.empty() || id.size() > kDeviceIdBytesMax) return false;
  return std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == ':' || c == '-';
  });
}

}  // namespace holdfast::native
