#include "gateway/api/request_body.h"

#include <gtest/gtest.h>

#include <string>

namespace holdfast {
namespace {

constexpr HeartbeatBounds kBounds{.min_s = 5, .max_s = 600};

TEST(DrainRequest, NothingSaidMeansTheDefaults) {
  for (const char* body : {"", "{}", " { } "}) {
    const Result<DrainRequest> drain = parse_drain_request(body);
    ASSERT_TRUE(drain.is_ok()) << body;
    EXPECT_EQ(drain.value().rate_per_s, 1000);
    EXPECT_EQ(drain.value().reconnect_window_s, 60);
  }
}

TEST(DrainRequest, ValuesAreTakenUpToTheirBounds) {
  const auto drain = parse_drain_request(R"({"rate_per_s":0.5,"reconnect_window_s":3600})");
  ASSERT_TRUE(drain.is_ok());
  EXPECT_EQ(drain.value().rate_per_s, 0.5);
  EXPECT_EQ(drain.value().reconnect_window_s, 3600);
  EXPECT_TRUE(parse_drain_request(R"({"rate_per_s":1000000,"reconnect_window_s":0})").is_ok());
}

TEST(DrainRequest, WrongBodiesAreRefusedAndTheKeyIsNamed) {
  for (const char* body :
       {R"({"rate_per_s":0})", R"({"rate_per_s":-1})", R"({"rate_per_s":1000001})",
        R"({"rate_per_s":"1"})", R"({"rate_per_s":null})", R"({"rate_per_s":true})",
        R"({"rate_per_s":[1]})"}) {
    const auto drain = parse_drain_request(body);
    ASSERT_FALSE(drain.is_ok()) << body;
    EXPECT_NE(drain.status().message().find("rate_per_s"), std::string::npos);
  }
  for (const char* body : {R"({"reconnect_window_s":-1})", R"({"reconnect_window_s":3601})",
                           R"({"reconnect_window_s":"1"})", R"({"rate":1})", "[]", "1", "null", "{",
                           "{} x", "\xFF", R"({"rate_per_s":1e999})"}) {
    EXPECT_FALSE(parse_drain_request(body).is_ok()) << body;
  }
}

TEST(DrainRequest, DepthIsBounded) {
  const std::string deep(60'000, '[');
  EXPECT_FALSE(parse_drain_request(deep).is_ok());
  EXPECT_FALSE(parse_drain_request(R"({"rate_per_s":[[[[1]]]]})").is_ok());
  // Brackets in a text are no depth.
  const auto text = parse_drain_request(R"({"[[[[[[\"[[":1})");
  ASSERT_FALSE(text.is_ok());
  EXPECT_NE(text.status().message().find("unknown key"), std::string::npos);
}

TEST(HeartbeatRequest, WholeNumbersWithinTheBoundsPass) {
  for (const int interval_s : {5, 30, 600}) {
    const std::string body = "{\"interval_s\":" + std::to_string(interval_s) + "}";
    const auto interval = parse_heartbeat_request(body, kBounds);
    ASSERT_TRUE(interval.is_ok()) << body;
    EXPECT_EQ(interval.value(), interval_s);
  }
}

TEST(HeartbeatRequest, OthersAreRefusedAndTheBoundsTold) {
  for (const char* value :
       {"4", "601", "0", "-5", "5.5", "30.0", "\"30\"", "null", "true", "[30]",
        "18446744073709551615", "9223372036854775808", "1e30", "65541", "4294967326"}) {
    const auto interval =
        parse_heartbeat_request("{\"interval_s\":" + std::string(value) + "}", kBounds);
    ASSERT_FALSE(interval.is_ok()) << value;
    EXPECT_NE(interval.status().message().find("from 5 to 600"), std::string::npos) << value;
  }
  EXPECT_FALSE(parse_heartbeat_request("{}", kBounds).is_ok());
  EXPECT_FALSE(parse_heartbeat_request("", kBounds).is_ok());
  EXPECT_FALSE(parse_heartbeat_request(R"({"interval_s":30,"x":1})", kBounds).is_ok());
}

}  // namespace
}  // namespace holdfast
