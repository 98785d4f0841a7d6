#include "tests/unit/support/frame_compare.h"

#include <optional>
#include <sstream>

namespace holdfast::test {
namespace {

class Describer final {
 public:
  void operator()(const Hello& hello) {
    out_ << "HELLO heartbeat=" << hello.heartbeat_s << " id=" << hello.device_id
         << " token=" << hello.token << " user=" << hello.attributes.user
         << " app=" << hello.attributes.app << " os=" << hello.attributes.os
         << " net=" << hello.attributes.net;
  }
  void operator()(const Welcome& welcome) {
    out_ << "WELCOME took_over=" << welcome.took_over << " heartbeat=" << welcome.heartbeat_s
         << " timeout=" << welcome.timeout_s << " session=" << welcome.session_id
         << " time=" << welcome.server_time_ms;
  }
  void operator()(const Ping& ping) {
    out_ << "PING";
    put(ping.echo);
  }
  void operator()(const Pong& pong) {
    out_ << "PONG new_heartbeat=";
    put_optional(pong.new_heartbeat_s);
    put(pong.echo);
  }
  void operator()(const Message& message) {
    out_ << "MESSAGE ack_id=";
    put_optional(message.ack_id);
    out_ << " topic=" << message.topic;
    put(message.payload);
  }
  void operator()(const Ack& ack) {
    out_ << "ACK id=" << ack.id << " status=" << static_cast<int>(ack.status);
  }
  void operator()(const Subscribe& subscribe) {
    out_ << "SUBSCRIBE id=" << subscribe.id;
    put(subscribe.filters);
  }
  void operator()(const Unsubscribe& unsubscribe) {
    out_ << "UNSUBSCRIBE id=" << unsubscribe.id;
    put(unsubscribe.filters);
  }
  void operator()(const Goaway& goaway) {
    out_ << "GOAWAY code=" << static_cast<int>(goaway.code) << " retry=" << goaway.retry_after_ms
         << " reason=" << goaway.reason << " other=" << goaway.other_address;
  }

  std::string text() const { return out_.str(); }

 private:
  void put(std::span<const std::byte> bytes) {
    static constexpr char kDigits[] = "0123456789ABCDEF";
    out_ << " [" << bytes.size() << ']';
    for (const std::byte byte : bytes) {
      out_ << kDigits[static_cast<uint8_t>(byte) >> 4] << kDigits[static_cast<uint8_t>(byte) & 0xF];
    }
  }
  void put(FilterList filters) {
    while (const auto filter = filters.pop_front()) out_ << " filter=" << *filter;
  }
  template <class Number>
  void put_optional(const std::optional<Number>& number) {
    if (number.has_value()) {
      out_ << *number;
    } else {
      out_ << "none";
    }
  }

  std::ostringstream out_;
};

}  // namespace

std::string describe(const Frame& frame) {
  Describer describer;
  std::visit(describer, frame);
  return describer.text();
}

}  // namespace holdfast::test
