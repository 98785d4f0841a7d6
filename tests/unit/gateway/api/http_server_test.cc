#include "gateway/api/http_server.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include <array>
#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/api/json_response.h"

namespace holdfast {
namespace {

constexpr std::string_view kRequest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
constexpr size_t kConnectionsMax = 3;

// A blocking client on the other end of the server's socket.
class Client final {
 public:
  explicit Client(const Address& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_storage native{};
    const socklen_t length = server.to_sockaddr(native);
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<sockaddr*>(&native), length), 0);
  }

  void send(std::string_view bytes) {
    EXPECT_EQ(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  // What has come so far; nothing once the server has closed.
  std::optional<std::string> receive() {
    std::array<char, 4096> buffer{};
    const ssize_t got = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got == 0) return std::nullopt;
    return got < 0 ? std::string() : std::string(buffer.data(), static_cast<size_t>(got));
  }
  void close() { socket_.reset(); }
  void reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    socket_.reset();
  }

 private:
  UniqueFd socket_;
};

class HttpServerTest : public testing::Test {
 protected:
  HttpServerTest()
      : server_(base_, [this](ExchangeId exchange, HttpRequest&& request) {
          waiting_.push_back(exchange);
          paths_.push_back(std::move(request.path));
        }) {
    std::signal(SIGPIPE, SIG_IGN);
    bind_ = Address::from_ipv4({127, 0, 0, 1}, 0);
    EXPECT_TRUE(server_.open(bind_, kConnectionsMax).is_ok());
  }

  // Runs the server's loop until the condition holds; what never comes ends in the test's time
  // limit.
  void run_until(const std::function<bool()>& condition) {
    while (!condition()) event_base_loop(base_.native(), EVLOOP_ONCE | EVLOOP_NONBLOCK);
  }
  void run_until_waiting(size_t requests) {
    run_until([this, requests] { return waiting_.size() == requests; });
  }
  void run_until_connected(size_t connections) {
    run_until([this, connections] { return server_.connections() == connections; });
  }
  std::string receive(Client& client) {
    std::string received;
    run_until([&] {
      received = client.receive().value_or("closed");
      return !received.empty();
    });
    return received;
  }

  EventBase base_;
  Address bind_;
  std::vector<ExchangeId> waiting_;
  std::vector<std::string> paths_;
  HttpServer server_;
};

TEST_F(HttpServerTest, AnswerMayComeLater) {
  Client client(bind_);
  client.send(kRequest);
  run_until_waiting(1);
  server_.respond(waiting_[0], text_response(200, "late"));
  EXPECT_TRUE(receive(client).ends_with("\r\n\r\nlate"));
}

TEST_F(HttpServerTest, AnswerIsGivenOnce) {
  Client client(bind_);
  client.send(kRequest);
  run_until_waiting(1);
  server_.respond(waiting_[0], text_response(200, "first"));
  server_.respond(waiting_[0], text_response(200, "second"));
  EXPECT_EQ(server_.counters().late_answers, 1u);
  receive(client);
  client.send(kRequest);
  run_until_waiting(2);
  server_.respond(waiting_[0], text_response(200, "stale"));
  EXPECT_EQ(server_.counters().late_answers, 2u);
  server_.respond(waiting_[1], text_response(200, "right"));
  EXPECT_TRUE(receive(client).ends_with("right"));
}

TEST_F(HttpServerTest, NextRequestWaitsForTheAnswerToTheOneBefore) {
  Client client(bind_);
  client.send("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
  run_until_waiting(1);
  server_.respond(waiting_[0], text_response(200, "1"));
  run_until_waiting(2);
  EXPECT_EQ(paths_, (std::vector<std::string>{"/1", "/2"}));
}

TEST_F(HttpServerTest, ClientThatLeavesWhileItsRequestWaitsIsForgotten) {
  Client closing(bind_);
  Client resetting(bind_);
  closing.send(kRequest);
  resetting.send(kRequest);
  run_until_waiting(2);
  closing.close();
  resetting.reset();
  const std::string large(4'000'000, 'x');
  for (const ExchangeId exchange : waiting_) server_.respond(exchange, text_response(200, large));
  run_until_connected(0);
  for (const ExchangeId exchange : waiting_) server_.respond(exchange, text_response(200, ""));
  EXPECT_EQ(server_.counters().late_answers, 2u);
}

TEST_F(HttpServerTest, IdlestConnectionGivesWayToANewcomer) {
  std::vector<Client> clients;
  for (size_t i = 0; i < kConnectionsMax; ++i) {
    clients.emplace_back(bind_);
    run_until_connected(i + 1);
  }
  {
    // The request of one that has just connected may be on its way.
    Client too_early(bind_);
    EXPECT_TRUE(receive(too_early).starts_with("HTTP/1.1 503 "));
  }
  const uint64_t idle_since_ms = monotonic_ms();
  run_until([idle_since_ms] { return monotonic_ms() > idle_since_ms + 250; });
  Client newcomer(bind_);
  newcomer.send(kRequest);
  run_until_waiting(1);
  EXPECT_EQ(server_.connections(), kConnectionsMax);
  EXPECT_EQ(receive(clients[0]), "closed");
  EXPECT_EQ(clients[1].receive(), "");
}

TEST_F(HttpServerTest, NewcomerIsRefusedWhenAllAreBusy) {
  std::vector<Client> clients;
  for (size_t i = 0; i < kConnectionsMax; ++i) {
    clients.emplace_back(bind_);
    clients.back().send(kRequest);
  }
  run_until_waiting(kConnectionsMax);
  Client newcomer(bind_);
  EXPECT_TRUE(receive(newcomer).starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(server_.counters().refused, 1u);
  EXPECT_EQ(server_.connections(), kConnectionsMax);
}

TEST_F(HttpServerTest, RequestThatDoesNotBecomeWholeIsEndedAndTold) {
  Client client(bind_);
  run_until_connected(1);
  const uint64_t started_ms = monotonic_ms();
  client.send("GET /");
  // Below an idle connection's deadline, above that of a request once its first byte was read.
  run_until([&] {
    server_.check_deadlines(started_ms + 59'000);
    return server_.counters().responses.contains(408);
  });
  EXPECT_TRUE(receive(client).starts_with("HTTP/1.1 408 "));
  EXPECT_EQ(receive(client), "closed");
  EXPECT_EQ(server_.connections(), 1u);  // lingers for what the client may still send
  server_.check_deadlines(monotonic_ms() + 3'000);
  EXPECT_EQ(server_.connections(), 0u);
}

TEST_F(HttpServerTest, IdleConnectionIsClosedWithoutAWord) {
  Client client(bind_);
  run_until_connected(1);
  server_.check_deadlines(monotonic_ms() + 59'000);
  EXPECT_EQ(server_.connections(), 1u);
  server_.check_deadlines(monotonic_ms() + 61'000);
  EXPECT_EQ(server_.connections(), 0u);
  EXPECT_EQ(client.receive(), std::nullopt);
}

TEST_F(HttpServerTest, RequestThatWaitsForItsAnswerHasNoDeadlineHere) {
  Client client(bind_);
  client.send(kRequest);
  run_until_waiting(1);
  server_.check_deadlines(monotonic_ms() + 1'000'000);
  EXPECT_EQ(server_.connections(), 1u);
}

}  // namespace
}  // namespace holdfast
