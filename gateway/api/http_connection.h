#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "common/clock.h"
#include "common/unique_fd.h"
#include "gateway/api/http_message.h"

struct bufferevent;
struct event_base;

namespace holdfast {

// Names one request for good: its connection's number and its own on that connection.
struct ExchangeId {
  uint64_t connection = 0;
  uint64_t request = 0;

  bool operator==(const ExchangeId&) const = default;
};

class HttpConnection;

// What a connection tells its owner.
class HttpConnectionOwner {
 public:
  virtual ~HttpConnectionOwner() = default;
  // A whole request, to be answered by answer(), now or later.
  virtual void on_request(HttpConnection& connection, HttpRequest&& request) = 0;
  virtual void on_answered(int status) = 0;
  // The connection is over. Nothing of it is used after this call: free it.
  virtual void on_closed(HttpConnection& connection) = 0;
};

// One client of the HTTP server: reads a request, waits for the answer, writes it, and begins
// again.
// Thread: control.
// Owns: the socket.
// Limit: buffers hold one request at its largest and one answer; every state but kAnswering has a
// deadline that no trickle of bytes moves.
class HttpConnection final {
 public:
  static constexpr Milliseconds kRequestTimeMax{10'000};  // from the first byte to the last
  static constexpr Milliseconds kIdleTimeMax{60'000};     // between requests
  static constexpr Milliseconds kIdleGrace{250};          // before it may give way to a newcomer
  static constexpr Milliseconds kWriteTimeMax{30'000};
  static constexpr Milliseconds kLingerTimeMax{2'000};

  enum class State : uint8_t {
    kIdle,       // no byte of a request is there
    kReading,    // part of a request is there
    kAnswering,  // the owner has the request; nothing is read meanwhile
    kWriting,    // the answer is on its way; nothing is read meanwhile
    kLingering,  // answered and shut on our side: what still comes in is thrown away, so that the
                 // kernel does not answer it with a reset, which can destroy the answer
    kClosed,     // waits to be freed
  };

  // Null when libevent has no memory for it.
  static std::unique_ptr<HttpConnection> open(event_base* base, UniqueFd socket, uint64_t number,
                                              HttpConnectionOwner& owner);
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;
  ~HttpConnection();

  State state() const { return state_; }
  uint64_t number() const { return number_; }
  uint64_t deadline_ms() const { return deadline_ms_; }
  ExchangeId exchange() const { return {number_, requests_}; }
  // No request of the client would be lost by closing now: it lingers, or has been idle for so long
  // that none can be on its way from the socket.
  bool may_give_way(uint64_t now_ms) const;

  // Only in kAnswering.
  void answer(const HttpResponse& response);
  // Acts on a deadline that has passed. May end in on_closed().
  void check_deadline(uint64_t now_ms);

 private:
  struct Free {
    void operator()(bufferevent* owned) const;
  };

  HttpConnection(uint64_t number, HttpConnectionOwner& owner);

  static void on_readable(bufferevent*, void* self);
  static void on_drained(bufferevent*, void* self);
  static void on_event(bufferevent*, short what, void* self);

  void read_request();
  void take_request(HttpRequest&& request);
  void refuse(int status, std::string_view code, std::string_view message);
  void write(const HttpResponse& response);
  void finish_answer();
  void begin_reading();
  void begin_lingering();
  void discard_input();
  void set_deadline(Milliseconds from_now);
  void tell_if_closed();

  const uint64_t number_;
  HttpConnectionOwner& owner_;
  // Not left to `stream_`, which would close it a round later: who frees a connection for want of
  // descriptors needs its descriptor now.
  UniqueFd socket_;
  std::unique_ptr<bufferevent, Free> stream_;
  State state_ = State::kIdle;
  uint64_t deadline_ms_ = 0;
  uint64_t requests_ = 0;
  size_t bytes_wanted_ = 0;  // input below this cannot complete the request
  bool keeps_alive_ = false;
  bool is_head_request_ = false;
  bool is_continue_sent_ = false;
};

}  // namespace holdfast
