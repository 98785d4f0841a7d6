#include "gateway/api/session_endpoints.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace holdfast {
namespace {

constexpr LoopIndex kLoops = 2;
constexpr ExchangeId kExchange{7, 1};

// The endpoints with a router whose loops do not run: the test takes their commands and replies.
class SessionEndpointsTest : public testing::Test {
 protected:
  struct Answer {
    ExchangeId exchange;
    HttpResponse response;
    nlohmann::json body() const { return nlohmann::json::parse(response.body); }
  };

  SessionEndpointsTest()
      : router_(kLoops),
        endpoints_(router_, [this](ExchangeId exchange, const HttpResponse& response) {
          answers_.push_back({exchange, response});
        }) {}

  std::vector<LoopCommand> take_commands(LoopIndex loop) {
    std::vector<LoopCommand> commands;
    router_.loop_mailbox(loop).drain(
        4096, [&commands](LoopCommand&& command) { commands.push_back(std::move(command)); });
    return commands;
  }

  template <class Command>
  Command take_command(LoopIndex loop) {
    std::vector<LoopCommand> commands = take_commands(loop);
    EXPECT_EQ(commands.size(), 1u);
    return std::get<Command>(commands.at(0));
  }

  void list(const std::string& query) {
    HttpRequest request;
    request.query = query;
    endpoints_.list(kExchange, request);
  }

  void set_heartbeat(const std::string& device, const std::string& body) {
    HttpRequest request;
    request.body = body;
    endpoints_.set_heartbeat(kExchange, device, request);
  }

  static SessionView view_of(const std::string& device) {
    SessionView view;
    view.device_id = device;
    view.session_id = 0xFFFF'FFFF'FFFF'FFFF;
    return view;
  }

  static std::vector<SessionView> views(size_t count) {
    std::vector<SessionView> made;
    for (size_t i = 0; i < count; ++i) made.push_back(view_of("d" + std::to_string(i)));
    return made;
  }

  SessionRef connect(const std::string& device, LoopIndex loop) {
    const SessionRef session{loop, 5, 9};
    EXPECT_EQ(router_.directory().claim(device, session), std::nullopt);
    return session;
  }

  Router router_;
  std::vector<Answer> answers_;
  SessionEndpoints endpoints_;
};

TEST_F(SessionEndpointsTest, OfflineDeviceIsNotFoundAtOnce) {
  endpoints_.show(kExchange, "d");
  endpoints_.kick(kExchange, "d");
  set_heartbeat("d", R"({"interval_s":30})");
  ASSERT_EQ(answers_.size(), 3u);
  for (const Answer& answer : answers_) {
    EXPECT_EQ(answer.exchange, kExchange);
    EXPECT_EQ(answer.response.status, 404);
    EXPECT_EQ(answer.body()["error"]["code"], "not_connected");
  }
  EXPECT_EQ(endpoints_.waiting(), 0u);
}

TEST_F(SessionEndpointsTest, SessionIsShownAsItsLoopDescribesIt) {
  const SessionRef session = connect("d", 1);
  endpoints_.show(kExchange, "d");
  EXPECT_TRUE(answers_.empty());
  const auto asked = take_command<DescribeSession>(1);
  EXPECT_EQ(asked.target, session);
  EXPECT_NE(asked.request, 0u);
  endpoints_.on_reply(SessionDescribed{asked.request, std::make_unique<SessionView>(view_of("d"))});
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].response.status, 200);
  EXPECT_EQ(answers_[0].body()["device"], "d");
  EXPECT_EQ(answers_[0].body()["session_id"], "18446744073709551615");
  EXPECT_TRUE(answers_[0].body()["next_heartbeat_s"].is_null());
}

TEST_F(SessionEndpointsTest, SessionThatWentMeanwhileIsNotFound) {
  connect("d", 0);
  endpoints_.show(kExchange, "d");
  endpoints_.on_reply(SessionDescribed{take_command<DescribeSession>(0).request, nullptr});
  endpoints_.kick(kExchange, "d");
  endpoints_.on_reply(KickDone{take_command<Kick>(0).request, false});
  set_heartbeat("d", R"({"interval_s":30})");
  endpoints_.on_reply(HeartbeatSet{take_command<SetHeartbeat>(0).request, false});
  ASSERT_EQ(answers_.size(), 3u);
  for (const Answer& answer : answers_) EXPECT_EQ(answer.response.status, 404);
}

TEST_F(SessionEndpointsTest, KickIsDoneForAnOperator) {
  const SessionRef session = connect("d", 0);
  endpoints_.kick(kExchange, "d");
  const auto asked = take_command<Kick>(0);
  EXPECT_EQ(asked.target, session);
  EXPECT_EQ(asked.reason, CloseReason::kKicked);
  endpoints_.on_reply(KickDone{asked.request, true});
  EXPECT_EQ(answers_.at(0).body(), nlohmann::json({{"device", "d"}, {"kicked", true}}));
}

TEST_F(SessionEndpointsTest, HeartbeatIsHeldToTheBounds) {
  endpoints_.set_heartbeat_bounds({10, 20});
  connect("d", 0);
  set_heartbeat("d", R"({"interval_s":9})");
  EXPECT_EQ(answers_.at(0).response.status, 400);
  EXPECT_TRUE(take_commands(0).empty());
  set_heartbeat("d", R"({"interval_s":20})");
  const auto asked = take_command<SetHeartbeat>(0);
  EXPECT_EQ(asked.heartbeat_s, 20);
  endpoints_.on_reply(HeartbeatSet{asked.request, true});
  EXPECT_EQ(answers_.at(1).body()["interval_s"], 20);
}

TEST_F(SessionEndpointsTest, ListWalksTheLoopsUntilTheLimit) {
  list("limit=5");
  auto asked = take_command<ListSessions>(0);
  EXPECT_EQ(asked.from_slot, 0u);
  EXPECT_EQ(asked.entries_max, 5u);
  endpoints_.on_reply(SessionsListed{asked.request, views(1), 4096});
  asked = take_command<ListSessions>(0);
  EXPECT_EQ(asked.from_slot, 4096u);
  EXPECT_EQ(asked.entries_max, 4u);
  endpoints_.on_reply(SessionsListed{asked.request, views(2), std::nullopt});
  asked = take_command<ListSessions>(1);
  EXPECT_EQ(asked.from_slot, 0u);
  EXPECT_EQ(asked.entries_max, 2u);
  EXPECT_TRUE(answers_.empty());
  endpoints_.on_reply(SessionsListed{asked.request, views(2), 70});
  const nlohmann::json body = answers_.at(0).body();
  EXPECT_EQ(body["sessions"].size(), 5u);

  list("limit=5&cursor=" + body["next_cursor"].get<std::string>());
  asked = take_command<ListSessions>(1);
  EXPECT_EQ(asked.from_slot, 70u);
  endpoints_.on_reply(SessionsListed{asked.request, {}, std::nullopt});
  EXPECT_TRUE(answers_.at(1).body()["next_cursor"].is_null());
  EXPECT_TRUE(answers_.at(1).body()["sessions"].empty());
}

TEST_F(SessionEndpointsTest, ListThatEndsWithALoopGoesOnWithTheNext) {
  list("limit=1");
  endpoints_.on_reply(
      SessionsListed{take_command<ListSessions>(0).request, views(1), std::nullopt});
  EXPECT_EQ(answers_.at(0).body()["next_cursor"], cursor_text({1, 0}));
}

TEST_F(SessionEndpointsTest, ListRefusesWhatItDoesNotKnow) {
  for (const char* query : {"limit=0", "limit=1001", "limit=", "limit=-1", "limit=1x", "limit=%31%",
                            "cursor=x", "cursor=02000000", "limt=5", "limit"}) {
    answers_.clear();
    list(query);
    ASSERT_EQ(answers_.size(), 1u) << query;
    EXPECT_EQ(answers_[0].response.status, 400) << query;
  }
  EXPECT_TRUE(take_commands(0).empty());
}

TEST_F(SessionEndpointsTest, LimitIsAHundredUnlessSaidAndAThousandAtMost) {
  list("");
  EXPECT_EQ(take_command<ListSessions>(0).entries_max, 100u);
  list("cursor=&limit=1000");
  EXPECT_EQ(take_command<ListSessions>(0).entries_max, 1000u);
}

TEST_F(SessionEndpointsTest, FullLaneIsToldAtOnce) {
  while (router_.post_command(router_.control_lane(), 0, StopDrain{})) {
  }
  connect("d", 0);
  endpoints_.show(kExchange, "d");
  list("");
  ASSERT_EQ(answers_.size(), 2u);
  for (const Answer& answer : answers_) EXPECT_EQ(answer.response.status, 503);
  EXPECT_EQ(endpoints_.waiting(), 0u);
}

TEST_F(SessionEndpointsTest, LoopThatDoesNotAnswerIsWaitedForNoLonger) {
  connect("d", 0);
  endpoints_.show(kExchange, "d");
  const auto asked = take_command<DescribeSession>(0);
  const uint64_t now_ms = monotonic_ms();
  endpoints_.check_deadlines(now_ms);
  EXPECT_TRUE(answers_.empty());
  endpoints_.check_deadlines(now_ms + 5001);
  ASSERT_EQ(answers_.size(), 1u);
  EXPECT_EQ(answers_[0].response.status, 504);

  endpoints_.on_reply(SessionDescribed{asked.request, nullptr});
  EXPECT_EQ(answers_.size(), 1u);
  EXPECT_EQ(endpoints_.late_replies(), 1u);
}

TEST_F(SessionEndpointsTest, TextOfAPeerIsEscaped) {
  connect("d", 0);
  endpoints_.show(kExchange, "d");
  auto view = std::make_unique<SessionView>(view_of("d"));
  view->user = "\"\n\x01</script>";
  view->app = "\xFF";
  endpoints_.on_reply(SessionDescribed{take_command<DescribeSession>(0).request, std::move(view)});
  const HttpResponse& response = answers_.at(0).response;
  EXPECT_EQ(response.body.find('\n'), response.body.size() - 1);
  EXPECT_EQ(answers_[0].body()["user"], "\"\n\x01</script>");
  EXPECT_EQ(answers_[0].body()["app"], "\xEF\xBF\xBD");
}

}  // namespace
}  // namespace holdfast
