#include "tools/conn_flood/options.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <vector>

namespace holdfast::flood {
namespace {

std::variant<Options, ExitCode> parse(std::initializer_list<const char*> arguments) {
  std::vector<const char*> argv = {"conn_flood"};
  argv.insert(argv.end(), arguments);
  testing::internal::CaptureStderr();
  testing::internal::CaptureStdout();
  auto parsed = parse_command_line(static_cast<int>(argv.size()), argv.data());
  testing::internal::GetCapturedStdout();
  testing::internal::GetCapturedStderr();
  return parsed;
}

int exit_code(std::initializer_list<const char*> arguments) {
  const auto parsed = parse(arguments);
  const auto* code = std::get_if<ExitCode>(&parsed);
  return code == nullptr ? -1 : code->value;
}

Options options(std::initializer_list<const char*> arguments) {
  const auto parsed = parse(arguments);
  EXPECT_TRUE(std::holds_alternative<Options>(parsed));
  return std::holds_alternative<Options>(parsed) ? std::get<Options>(parsed) : Options{};
}

TEST(FloodOptions, TargetAloneGivesDefaults) {
  const Options parsed = options({"--target", "127.0.0.1:7000"});
  ASSERT_EQ(parsed.targets.size(), 1u);
  EXPECT_EQ(parsed.targets[0].text(), "127.0.0.1:7000");
  EXPECT_EQ(parsed.connections, 1000u);
  EXPECT_FALSE(parsed.reconnect);
  EXPECT_TRUE(parsed.goodbye);
  EXPECT_FALSE(parsed.mute_after_s.has_value());
  EXPECT_TRUE(parsed.sources.empty());
}

TEST(FloodOptions, ReadsEveryKind) {
  const Options parsed =
      options({"--target", "127.0.0.1:7000", "--target", "127.0.0.1:7001", "--connections", "19000",
               "--rate", "500.5", "--mute", "0.1", "--mute-after", "0", "--sources",
               "127.0.0.2-127.0.0.4", "--no-goodbye", "--reconnect", "--protocol", "native"});
  EXPECT_EQ(parsed.targets.size(), 2u);
  EXPECT_EQ(parsed.connections, 19'000u);
  EXPECT_DOUBLE_EQ(parsed.rate_per_s, 500.5);
  EXPECT_DOUBLE_EQ(parsed.shares.mute, 0.1);
  EXPECT_EQ(parsed.mute_after_s, 0.0);
  EXPECT_EQ(parsed.sources.size(), 3u);
  EXPECT_FALSE(parsed.goodbye);
  EXPECT_TRUE(parsed.reconnect);
}

TEST(FloodOptions, HelpIsNoError) { EXPECT_EQ(exit_code({"--help"}), 0); }

TEST(FloodOptions, WrongArgumentsExitWithTwo) {
  EXPECT_EQ(exit_code({}), 2);
  EXPECT_EQ(exit_code({"--target", "somewhere"}), 2);
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:0"}), 2);
  const auto with = [](const char* option, const char* value) {
    return exit_code({"--target", "127.0.0.1:7000", option, value});
  };
  EXPECT_EQ(with("--connections", "0"), 2);
  EXPECT_EQ(with("--connections", "-5"), 2);
  EXPECT_EQ(with("--connections", "many"), 2);
  EXPECT_EQ(with("--mute", "1.01"), 2);
  EXPECT_EQ(with("--heartbeat", "65536"), 2);
  EXPECT_EQ(with("--heartbeat", "-1"), 2);
  EXPECT_EQ(with("--mute-heartbeat", "65536"), 2);
  EXPECT_EQ(with("--calm", "-1"), 2);
  EXPECT_EQ(with("--rate", "-1"), 2);
  EXPECT_EQ(with("--rate", "nan"), 2);
  EXPECT_EQ(with("--duration", "nan"), 2);
  EXPECT_EQ(with("--protocol", "mqtt"), 2);
  EXPECT_EQ(with("--id-prefix", "with space"), 2);
  EXPECT_EQ(with("--id-prefix", "a-prefix-that-leaves-no-room-for-eight-digits-in-an-id-of-64"), 2);
  EXPECT_EQ(with("--sources", "127.0.0.9-127.0.0.2"), 2);
  EXPECT_EQ(with("--sources", "::1"), 2);
  EXPECT_EQ(with("--tls", "x"), 2);
}

TEST(FloodOptions, ConnectionsArePlainUnlessToldOtherwise) {
  const Options parsed = options({"--target", "127.0.0.1:7000"});
  EXPECT_FALSE(parsed.tls.is_on);
  EXPECT_TRUE(options({"--target", "127.0.0.1:7000", "--tls"}).tls.is_on);
}

TEST(FloodOptions, ReadsWhatTlsWants) {
  const Options parsed = options({"--target", "127.0.0.1:7000", "--tls", "--ca", "ca.pem", "--cert",
                                  "{id}.pem", "--key", "{id}.key", "--server-name", "localhost",
                                  "--tls-version", "1.3", "--resume"});
  EXPECT_EQ(parsed.tls.ca_file, "ca.pem");
  EXPECT_EQ(parsed.tls.cert_file, "{id}.pem");
  EXPECT_EQ(parsed.tls.key_file, "{id}.key");
  EXPECT_EQ(parsed.tls.server_name, "localhost");
  EXPECT_EQ(parsed.tls.version, TlsVersion::k13);
  EXPECT_TRUE(parsed.tls.resumes);
}

TEST(FloodOptions, WhatTlsWantsMakesNoSenseWithoutIt) {
  for (const char* option : {"--ca", "--server-name", "--tls-version"}) {
    EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", option, "1.2"}), 2) << option;
  }
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", "--resume"}), 2);
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", "--tls", "--cert", "a.pem"}), 2);
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", "--tls", "--key", "a.key"}), 2);
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", "--tls", "--tls-version", "1.1"}), 2);
}

TEST(FloodOptions, SharesOfMoreThanAllAreRefused) {
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", "--mute", "0.6", "--churn", "0.5"}), 2);
  EXPECT_EQ(exit_code({"--target", "127.0.0.1:7000", "--mute", "0.7", "--half-frame", "0.2",
                       "--churn", "0.1"}),
            -1);
}

}  // namespace
}  // namespace holdfast::flood
