#include "gateway/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/unit/gateway/options_fixture.h"

namespace holdfast {
namespace {

class OptionsTest : public OptionsFixture {};

TEST_F(OptionsTest, NoFileGivesTheDefaultsOfThePlan) {
  const Result<Options> result = load_options("", {});
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  const Options& options = result.value();
  EXPECT_FALSE(options.node_id.empty());
  EXPECT_EQ(options.loops_count, 0U);
  EXPECT_TRUE(options.loops_pin);
  ASSERT_EQ(options.listeners.size(), 1U);
  EXPECT_EQ(options.listeners[0].bind.text(), "127.0.0.1:7000");
  EXPECT_EQ(options.listeners[0].protocols, std::vector<std::string>{"native"});
  EXPECT_EQ(options.admin_bind.text(), "127.0.0.1:7080");
  EXPECT_EQ(options.heartbeat, HeartbeatOptions{});
  EXPECT_EQ(options.limits, LimitOptions{});
  EXPECT_EQ(options.admin_token, "");
}

TEST_F(OptionsTest, AnEmptyFileGivesTheDefaults) {
  EXPECT_EQ(loaded(""), load_options("", {}).value());
}

TEST_F(OptionsTest, AFileIsRead) {
  const Options options = loaded(R"(
node.id = "n1"
[loops]
count = 2
pin = false
[heartbeat]
default_s = 5
misses = 2
[limits]
when_full = "refuse"
memory_max_mib = 100
[log]
level = "error"
format = "json"
)");
  EXPECT_EQ(options.node_id, "n1");
  EXPECT_EQ(options.loops_count, 2U);
  EXPECT_FALSE(options.loops_pin);
  EXPECT_EQ(options.heartbeat.default_s, 5);
  EXPECT_EQ(options.heartbeat.misses, 2);
  EXPECT_EQ(options.limits.when_full, WhenFull::kRefuse);
  EXPECT_EQ(options.limits.memory_max_mib, 100U);
  EXPECT_EQ(options.log_level, log::Level::kError);
  EXPECT_EQ(options.log_format, log::Format::kJson);
}

TEST_F(OptionsTest, WhatCannotBeReadIsSaidPlainly) {
  EXPECT_EQ(error_text(load_options(folder_ / "none.toml", {})),
            "cannot open none.toml: No such file or directory");
  EXPECT_EQ(load_options(folder_, {}).status().message(),
            folder_.string() + " is a directory: name a file");
  EXPECT_EQ(error_of(std::string(262'145, '\n')), "a.toml is too large: at most 262144 bytes");
}

// Opening a pipe that nobody writes to would wait for ever.
TEST_F(OptionsTest, APipeIsRefusedWithoutWaiting) {
  const path pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_EQ(error_text(load_options(pipe, {})), "pipe is not a regular file: name a file");
}

TEST_F(OptionsTest, ASyntaxErrorNamesItsLineAndShowsIt) {
  EXPECT_EQ(error_of("\nheartbeat.min_s 5\n"),
            "a.toml:2: a setting is written key = value, in \"heartbeat.min_s 5\"");
}

// Such as a file of quite another kind.
TEST_F(OptionsTest, ErrorsAreToldUpToABound) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "k" + std::to_string(i) + " = 1\n";
  const std::string error = error_of(text);
  EXPECT_EQ(std::ranges::count(error, '\n'), 100) << error;
  EXPECT_TRUE(error.ends_with("\nfurther errors are not shown")) << error;
}

TEST_F(OptionsTest, ErrorsAreAllToldInTheOrderOfTheirLines) {
  EXPECT_EQ(
      error_of("log.level = \"loud\"\nheartbeat.min_s = 0\nloops.pin = 1\n", {"loops.count=-1"}),
      "a.toml:1: log.level: \"loud\" is not allowed: one of \"debug\", \"info\", \"warn\", "
      "\"error\"\n"
      "a.toml:2: heartbeat.min_s: 0 is not allowed: whole number of seconds, 1 to 65535\n"
      "a.toml:3: loops.pin: 1 is not allowed: true or false\n"
      "--set loops.count: -1 is not allowed: whole number of loops, 0 to 128 (0: one a core)");
}

TEST_F(OptionsTest, SetWinsOverTheFileAndTheLastOneWins) {
  const Options options =
      loaded("heartbeat.default_s = 5\nlog.level = \"warn\"\n",
             {"heartbeat.default_s=6", "log.level=error", "heartbeat.default_s=7"});
  EXPECT_EQ(options.heartbeat.default_s, 7);
  EXPECT_EQ(options.log_level, log::Level::kError);
}

TEST_F(OptionsTest, SetTakesTomlAndBareText) {
  EXPECT_EQ(loaded("", {"node.id=42"}).node_id, "42");
  EXPECT_EQ(loaded("", {"node.id=a=b"}).node_id, "a=b");
  EXPECT_EQ(loaded("", {"node.id=\"quoted\""}).node_id, "quoted");
  EXPECT_EQ(loaded("", {"node.id='literal'"}).node_id, "literal");
  EXPECT_EQ(loaded("", {"admin.bind=[::1]:0"}).admin_bind, address("[::1]:0"));
  EXPECT_EQ(loaded("", {"limits.connections_max=1_000_000"}).limits.connections_max, 1'000'000U);
  EXPECT_FALSE(loaded("", {"loops.pin=false"}).loops_pin);
  loaded("", {"listener.protocols=native"});
  loaded("", {"listener.protocols=[\"native\"]"});
}

TEST_F(OptionsTest, ABadSetIsNamed) {
  const std::string number = " is not allowed: whole number of seconds, 1 to 65535";
  EXPECT_EQ(set_error("heartbeat.min_s=0"), "--set heartbeat.min_s: 0" + number);
  EXPECT_EQ(set_error("heartbeat.min_s="), "--set heartbeat.min_s: \"\"" + number);
  EXPECT_EQ(set_error("heartbeat.min_s=five"), "--set heartbeat.min_s: five" + number);
  EXPECT_EQ(set_error("heartbeat.min_s=99999999999999999999"),
            "--set heartbeat.min_s: 99999999999999999999" + number);
  EXPECT_EQ(set_error("heartbeat.mins=3"),
            "--set heartbeat.mins: unknown setting: did you mean heartbeat.min_s?");
  EXPECT_EQ(set_error("loops.pin=yes"), "--set loops.pin: yes is not allowed: true or false");
  EXPECT_EQ(set_error("heartbeat.min_s"),
            "--set heartbeat.min_s: write key=value, such as heartbeat.min_s=5");
  EXPECT_EQ(set_error("=5"), "--set =5: write key=value, such as heartbeat.min_s=5");
}

// One value may not smuggle in a second key.
TEST_F(OptionsTest, ASetHoldsOneValueOnly) {
  EXPECT_TRUE(
      set_error("node.id=\"open").starts_with("--set node.id: \"\\\"open\" is not allowed"));
  EXPECT_TRUE(contains(set_error("heartbeat.misses=3\nvalue2 = 4"), "is not allowed"));
  EXPECT_TRUE(contains(set_error("heartbeat.misses={a=1}"), "is not allowed"));
}

TEST_F(OptionsTest, SetEditsOrMakesTheOneListener) {
  EXPECT_EQ(loaded("", {"listener.bind=127.0.0.1:0"}).listeners[0].bind, address("127.0.0.1:0"));
  const Options edited =
      loaded("[[listener]]\nbind = \"127.0.0.1:1\"\nbacklog = 5\n", {"listener.bind=127.0.0.1:2"});
  ASSERT_EQ(edited.listeners.size(), 1U);
  EXPECT_EQ(edited.listeners[0].bind, address("127.0.0.1:2"));
  EXPECT_EQ(edited.listeners[0].backlog, 5);
  EXPECT_EQ(
      error_of("[[listener]]\nbind = \"127.0.0.1:1\"\n[[listener]]\nbind = \"127.0.0.1:2\"\n",
               {"listener.backlog=5"}),
      "--set listener.backlog: the file has 2 listeners: --set can edit one only if it stands "
      "alone");
}

TEST_F(OptionsTest, SeveralListenersAreRead) {
  const Options options = loaded(R"(
[[listener]]
bind = "127.0.0.1:1"
[[listener]]
bind = "[::1]:1"
proxy_protocol = true
[[listener]]
bind = "127.0.0.1:0"
[[listener]]
bind = "127.0.0.1:0"
)");
  ASSERT_EQ(options.listeners.size(), 4U);
  EXPECT_EQ(options.listeners[0].bind, address("127.0.0.1:1"));
  EXPECT_FALSE(options.listeners[0].proxy_protocol);
  EXPECT_EQ(options.listeners[1].bind, address("[::1]:1"));
  EXPECT_TRUE(options.listeners[1].proxy_protocol);
}

TEST_F(OptionsTest, TwoListenersCannotShareAnAddress) {
  const std::string rest = " is taken by another listener or by admin.bind: each needs its own";
  EXPECT_EQ(
      error_of("[[listener]]\nbind = \"127.0.0.1:1\"\n[[listener]]\nbind = \"127.0.0.1:1\"\n"),
      "a.toml:4: listener.bind: listener.bind 127.0.0.1:1" + rest);
  EXPECT_EQ(error_of("[[listener]]\n[[listener]]\nbacklog = 5\n"),
            "a.toml:3: listener.backlog: listener.bind 127.0.0.1:7000" + rest);
  EXPECT_EQ(error_of("admin.bind = \"127.0.0.1:7000\"\n"),
            "a.toml:1: admin.bind: listener.bind 127.0.0.1:7000" + rest);
}

TEST_F(OptionsTest, TooManyListenersAreRefusedOnce) {
  std::string text;
  for (int i = 0; i < 70; ++i) {
    text += "[[listener]]\nbind = \"127.0.0.1:" + std::to_string(1000 + i) + "\"\n";
  }
  EXPECT_EQ(error_of(text), "a.toml:130: listener.bind: at most 64 listeners are allowed");
}

TEST_F(OptionsTest, OnlyWhatARunningGatewayCannotChangeNeedsARestart) {
  const path token = write("token", "0123456789abcdef\n");
  const Options running = loaded("");
  EXPECT_EQ(settings_that_need_restart(running, running), std::vector<std::string>{});
  const Options live =
      loaded("", {"heartbeat.default_s=5", "limits.connections_max=7", "limits.when_full=refuse",
                  "log.level=debug", "shutdown.grace_s=1", "admin.token_file=" + token.string()});
  EXPECT_EQ(settings_that_need_restart(running, live), std::vector<std::string>{});
  const Options fixed = loaded(
      "", {"node.id=other", "loops.count=3", "loops.pin=false", "admin.bind=127.0.0.1:0",
           "log.format=json", "listener.backlog=5", "log.level=debug", "tls.handshake_threads=2"});
  EXPECT_EQ(
      settings_that_need_restart(running, fixed),
      (std::vector<std::string>{"node.id", "loops.count", "loops.pin", "tls.handshake_threads",
                                "admin.bind", "log.format", "listener"}));
}

TEST_F(OptionsTest, TlsChangesWithoutARestart) {
  const Options running = loaded("");
  const Options wanted = loaded(
      "", {"tls.cert_file=a.pem", "tls.key_file=a.key", "tls.client_ca_file=ca.pem",
           "tls.client_auth=optional", "tls.device_id_from=cn", "tls.ticket_key_file=t",
           "tls.handshake_timeout_ms=100", "tls.handshakes_max=1", "listener.tls=true",
           "listener.cert_file=b.pem", "listener.key_file=b.key", "listener.client_auth=required"});
  EXPECT_EQ(settings_that_need_restart(running, wanted), std::vector<std::string>{});
  const Options another = loaded("[[listener]]\n[[listener]]\nbind = \"127.0.0.1:1\"\n");
  EXPECT_EQ(settings_that_need_restart(running, another), std::vector<std::string>{"listener"});
}

}  // namespace
}  // namespace holdfast
