#include "gateway/api/endpoint.h"

#include <gtest/gtest.h>

namespace holdfast {
namespace {

TEST(Endpoint, PathsLeadToTheirEndpoints) {
  EXPECT_EQ(route_for("/healthz"), (Route{Endpoint::kHealthz, ""}));
  EXPECT_EQ(route_for("/readyz"), (Route{Endpoint::kReadyz, ""}));
  EXPECT_EQ(route_for("/metrics"), (Route{Endpoint::kMetrics, ""}));
  EXPECT_EQ(route_for("/v1/stats"), (Route{Endpoint::kStats, ""}));
  EXPECT_EQ(route_for("/v1/drain"), (Route{Endpoint::kDrain, ""}));
  EXPECT_EQ(route_for("/v1/sessions"), (Route{Endpoint::kSessions, ""}));
  EXPECT_EQ(route_for("/v1/sessions/a%3Ab"), (Route{Endpoint::kSession, "a%3Ab"}));
  EXPECT_EQ(route_for("/v1/sessions/"), (Route{Endpoint::kSession, ""}));
  EXPECT_EQ(route_for("/v1/sessions/d/heartbeat"), (Route{Endpoint::kHeartbeat, "d"}));
}

TEST(Endpoint, OtherPathsLeadNowhere) {
  for (const char* path : {"", "/", "/healthz/", "/v1", "/v1/stats/", "/V1/stats", "//healthz",
                           "/v1/sessions/d/", "/v1/sessions/d/heartbeats", "/v1/sessions/d/a/b",
                           "/v1/push", "/v1/events", "/healthz%00"}) {
    EXPECT_EQ(route_for(path), std::nullopt) << path;
  }
}

TEST(Endpoint, MethodsAreThoseListed) {
  EXPECT_TRUE(is_allowed(Endpoint::kStats, "GET"));
  EXPECT_TRUE(is_allowed(Endpoint::kStats, "HEAD"));
  EXPECT_FALSE(is_allowed(Endpoint::kStats, "POST"));
  EXPECT_TRUE(is_allowed(Endpoint::kSession, "DELETE"));
  EXPECT_TRUE(is_allowed(Endpoint::kHeartbeat, "PUT"));
  EXPECT_FALSE(is_allowed(Endpoint::kHeartbeat, "GET"));
  EXPECT_TRUE(is_allowed(Endpoint::kDrain, "POST"));
  EXPECT_TRUE(is_allowed(Endpoint::kDrain, "DELETE"));
  EXPECT_FALSE(is_allowed(Endpoint::kDrain, "GET"));
  for (const char* method : {"", "get", "GE", "GET,", "GET, HEAD", "OPTIONS"}) {
    EXPECT_FALSE(is_allowed(Endpoint::kStats, method)) << method;
  }
}

}  // namespace
}  // namespace holdfast
