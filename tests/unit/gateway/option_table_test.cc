#include "gateway/option_table.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/gateway/options_fixture.h"

namespace holdfast {
namespace {

class OptionTableTest : public OptionsFixture {};

// A value out of place for every key, so that a new setting is held to the same as the old ones.
TEST_F(OptionTableTest, EveryNumberHoldsToItsBoundsAndSaysThem) {
  for (const auto& setting : settings()) {
    if (setting.rule.kind != ValueKind::kNumber) continue;
    const std::string allowed =
        std::to_string(setting.rule.min) + " to " + std::to_string(setting.rule.max);
    const std::string bad[] = {std::to_string(setting.rule.min - 1),
                               std::to_string(setting.rule.max + 1),
                               "9223372036854775807",
                               "-9223372036854775808",
                               "99999999999999999999",
                               "5s",
                               "1.5",
                               "\"7\"",
                               "true",
                               "[1]",
                               "1979-05-27"};
    for (const std::string& value : bad) {
      const std::string error = error_of("\n" + std::string(setting.key) + " = " + value + "\n");
      EXPECT_TRUE(
          error.starts_with("a.toml:2: " + std::string(setting.key) + ": " + value.substr(0, 3)))
          << error;
      EXPECT_TRUE(contains(error, allowed)) << error;
      EXPECT_FALSE(contains(error, "\n")) << "one fault, one line: " << error;
    }
  }
}

TEST_F(OptionTableTest, EveryBoundFitsItsField) {
  for (const auto& setting : settings()) {
    if (setting.rule.kind != ValueKind::kNumber) continue;
    for (const int64_t bound : {setting.rule.min, setting.rule.max}) {
      Options options;
      ASSERT_TRUE(check_value(setting.rule, ConfigValue(bound)).is_ok());
      setting.write(options, ConfigValue(bound), setting.rule);
      EXPECT_EQ(setting.read(options, setting.rule), ConfigValue(bound)) << setting.key;
    }
  }
}

TEST_F(OptionTableTest, EveryDefaultIsWithinItsRule) {
  const Options options = load_options("", {}).value();
  for (const auto& setting : settings()) {
    const ConfigValue value = setting.read(options, setting.rule);
    if (setting.rule.kind == ValueKind::kLater) continue;
    EXPECT_TRUE(check_value(setting.rule, value).is_ok()) << setting.key;
  }
}

TEST_F(OptionTableTest, EveryKeyRefusesAValueOfAnotherType) {
  for (const auto& setting : settings()) {
    const std::string error = error_of(std::string(setting.key) + " = 1.5\n");
    EXPECT_TRUE(error.starts_with("a.toml:1: " + std::string(setting.key) + ": 1.5 is not "))
        << error;
  }
  for (const auto& setting : listener_settings()) {
    const std::string leaf(setting.key.substr(setting.key.find('.') + 1));
    const std::string error = error_of("[[listener]]\n" + leaf + " = 1.5\n");
    EXPECT_TRUE(error.starts_with("a.toml:2: " + std::string(setting.key) + ": 1.5 is not "))
        << error;
  }
}

TEST_F(OptionTableTest, EveryChoiceIsTaken) {
  for (const auto& setting : settings()) {
    if (setting.rule.kind != ValueKind::kChoice) continue;
    for (const std::string_view choice : setting.rule.choices) {
      const ConfigValue value{std::string(choice)};
      Options options;
      ASSERT_TRUE(check_value(setting.rule, value).is_ok());
      setting.write(options, value, setting.rule);
      EXPECT_EQ(setting.read(options, setting.rule), value);
    }
  }
}

TEST_F(OptionTableTest, TheTextReadsBackToTheSameOptions) {
  const path token = write("token", "0123456789abcdef\n");
  Options options = loaded(
      "", {"node.id=a\"b\\c", "loops.count=3", "heartbeat.grace_ms=7", "limits.when_full=refuse",
           "log.level=debug", "admin.token_file=" + token.string(), "listener.backlog=9"});
  options.listeners.push_back(options.listeners[0]);
  options.listeners[1].bind = address("[2001:db8::1]:8000");
  options.listeners[1].proxy_protocol = true;
  EXPECT_EQ(loaded(options_text(options)), options);
  EXPECT_FALSE(contains(options_text(options), options.admin_token));
}

TEST_F(OptionTableTest, TheExampleHoldsTheDefaultsAndEverySetting) {
  const path example = path(HOLDFAST_SOURCE_DIR) / "packaging" / "holdfast.toml";
  const Result<Options> result = load_options(example, {});
  ASSERT_TRUE(result.is_ok()) << result.status().message();
  EXPECT_EQ(result.value(), load_options("", {}).value());
  std::ifstream file(example);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const auto& setting : settings()) {
    if (setting.rule.kind == ValueKind::kLater) continue;
    const std::string leaf(setting.key.substr(setting.key.find('.') + 1));
    EXPECT_TRUE(contains(text, "\n" + leaf + " = ") || contains(text, "\n# " + leaf + " = "))
        << setting.key;
  }
}

struct UnknownKey {
  const char* text;
  const char* error;
};

class UnknownKeyTest : public OptionsFixture, public testing::WithParamInterface<UnknownKey> {};

TEST_P(UnknownKeyTest, IsRefusedWithWhatMayBeMeant) {
  EXPECT_EQ(error_of(GetParam().text), GetParam().error);
}

INSTANTIATE_TEST_SUITE_P(
    Keys, UnknownKeyTest,
    testing::Values(
        UnknownKey{"[heartbeat]\nmin = 3\n",
                   "a.toml:2: heartbeat.min: unknown setting: did you mean heartbeat.min_s?"},
        UnknownKey{"[hartbeat]\nmin_s = 3\n",
                   "a.toml:2: hartbeat.min_s: unknown setting: did you mean heartbeat.min_s?"},
        UnknownKey{"hello_timeout_ms = 3\n",
                   "a.toml:1: hello_timeout_ms: unknown setting: did you mean "
                   "limits.hello_timeout_ms?"},
        UnknownKey{"[[listener]]\nbnid = \"127.0.0.1:1\"\n",
                   "a.toml:2: listener.bnid: unknown setting: did you mean listener.bind?"},
        UnknownKey{"weather = \"fine\"\n", "a.toml:1: weather: unknown setting"},
        UnknownKey{"[weather]\n", "a.toml:1: weather: unknown setting"},
        UnknownKey{"heartbeat = 3\n",
                   "a.toml:1: heartbeat: is a section, not a setting: write [heartbeat]"},
        UnknownKey{"[[heartbeat]]\nmin_s = 3\n",
                   "a.toml:2: heartbeat.min_s: stands in a list of tables: write the section once, "
                   "in [ ]"},
        UnknownKey{"listener = 3\n",
                   "a.toml:1: listener: is a list of sections: write [[listener]] for each"},
        UnknownKey{"listener = []\n",
                   "a.toml:1: listener: is a list of sections: write [[listener]] for each"},
        UnknownKey{"\"heartbeat.min_s\" = 3\n",
                   "a.toml:1: \"heartbeat.min_s\": unknown setting: did you mean heartbeat.min_s?"},
        UnknownKey{"\"a\\nb\" = 3\n", "a.toml:1: \"a\\u000Ab\": unknown setting"}));

TEST_F(OptionTableTest, AnEmptyKnownSectionIsNoError) {
  EXPECT_EQ(loaded("[heartbeat]\n[limits]\n[tls]\n"), load_options("", {}).value());
}

TEST_F(OptionTableTest, FeaturesOfLaterVersionsAreRefusedAsSuch) {
  EXPECT_EQ(
      error_of("auth.kind = \"jwt\"\n"),
      "a.toml:1: auth.kind: \"jwt\" is not supported by this version: only \"none\" is allowed");
  EXPECT_EQ(error_of("engine.kind = \"redis\"\n"),
            "a.toml:1: engine.kind: \"redis\" is not supported by this version: only \"memory\" is "
            "allowed");
  EXPECT_EQ(
      set_error("auth.kind=webhook"),
      "--set auth.kind: \"webhook\" is not supported by this version: only \"none\" is allowed");
  loaded("auth.kind = \"none\"\nengine.kind = \"memory\"\n");
  loaded("", {"auth.kind=none", "engine.kind=memory"});
}

TEST_F(OptionTableTest, ANodeIdIsOneToSixtyFourPrintableCharacters) {
  EXPECT_EQ(loaded("node.id = \"" + std::string(64, 'a') + "\"").node_id.size(), 64U);
  for (const std::string& bad :
       {std::string(), std::string(65, 'a'), std::string("a b"), std::string("a\\u0000"),
        std::string("a\\n"), std::string("\xC3\xA9")}) {
    const std::string error = error_of("node.id = \"" + bad + "\"");
    EXPECT_TRUE(contains(error, "is not allowed: 1 to 64 printable characters")) << error;
  }
}

TEST_F(OptionTableTest, AnAddressMustBeAnAddressWithAPort) {
  for (const char* bad : {"", "7000", "localhost:7000", "127.0.0.1", "127.0.0.1:65536",
                          "127.0.0.1:-1", "::1:7000", "[127.0.0.1]:7000", "1.2.3.4:70 "}) {
    const std::string error = error_of("admin.bind = \"" + std::string(bad) + "\"");
    EXPECT_TRUE(contains(error, "is not allowed: an address and a port")) << error;
  }
  EXPECT_EQ(loaded("admin.bind = \"[::1]:0\"").admin_bind, address("[::1]:0"));
}

TEST_F(OptionTableTest, ProtocolsAreKnownNonEmptyAndDistinct) {
  EXPECT_EQ(
      error_of("[[listener]]\nprotocols = [\"native\", \"mqtt\"]\n"),
      "a.toml:2: listener.protocols: \"mqtt\" is not supported by this version: a list of one "
      "or more of \"native\"");
  for (const char* bad : {"[]", "\"native\"", "[\"native\", \"native\"]", "[\"native\", 1]"}) {
    EXPECT_EQ(error_of("[[listener]]\nprotocols = " + std::string(bad) + "\n"),
              "a.toml:2: listener.protocols: " + std::string(bad) +
                  " is not allowed: a list of one or more of \"native\"");
  }
}

TEST_F(OptionTableTest, FilesAreOnePathOrAListOfThem) {
  using Paths = std::vector<path>;
  const auto certificates = [this](const std::string& value) {
    return loaded("tls.cert_file = " + value + "\ntls.key_file = " + value).tls.files.cert_files;
  };
  EXPECT_EQ(certificates("\"a.pem\""), Paths({"a.pem"}));
  EXPECT_EQ(certificates("[\"a.pem\", \"b.pem\"]"), Paths({"a.pem", "b.pem"}));
  EXPECT_EQ(certificates("\"\""), Paths());
  EXPECT_EQ(certificates("[]"), Paths());
  EXPECT_EQ(certificates("[\"\"]"), Paths());
  const std::string allowed =
      " is not allowed: the path of a file, a list of up to 64 of them, or \"\" for none";
  EXPECT_EQ(error_of("tls.cert_file = 7\n"), "a.toml:1: tls.cert_file: 7" + allowed);
  EXPECT_EQ(error_of("tls.cert_file = [\"a\", 1]\n"),
            "a.toml:1: tls.cert_file: [\"a\", 1]" + allowed);
  std::string many = "\"a\"";
  for (int i = 0; i < 64; ++i) many += ", \"a\"";
  EXPECT_TRUE(error_of("tls.cert_file = [" + many + "]\n").ends_with(allowed));
}

TEST_F(OptionTableTest, SetTakesFilesAsBareTextAndAsAList) {
  using Paths = std::vector<path>;
  EXPECT_EQ(loaded("", {"tls.cert_file=x.pem", "tls.key_file=x.key"}).tls.files.cert_files,
            Paths({"x.pem"}));
  EXPECT_EQ(loaded("", {"tls.cert_file='x.pem'", "tls.key_file=x.key"}).tls.files.cert_files,
            Paths({"x.pem"}));
  EXPECT_EQ(loaded("", {"tls.cert_file=[\"x\", \"y\"]", "tls.key_file=[\"x\", \"y\"]"})
                .tls.files.cert_files,
            Paths({"x", "y"}));
  EXPECT_EQ(
      loaded("tls.cert_file = \"a\"\ntls.key_file = \"a\"\n", {"tls.cert_file=", "tls.key_file="})
          .tls.files.cert_files,
      Paths());
}

TEST_F(OptionTableTest, TlsSettingsReadBackToTheSameOptions) {
  const Options options = loaded(R"(
[tls]
cert_file = ["a.pem", "b.pem"]
key_file = ["a.key", "b.key"]
ocsp_file = ["", "b.ocsp"]
client_ca_file = "ca.pem"
client_auth = "optional"
device_id_from = "san"
ticket_key_file = "ticket.key"
handshake_timeout_ms = 700
handshakes_max = 9
idle_steps = 3
handshake_threads = 3
[[listener]]
tls = true
cert_file = "c.pem"
key_file = "c.key"
ocsp_file = "c.ocsp"
client_ca_file = "d.pem"
client_auth = "required"
)");
  EXPECT_EQ(options.tls.client_auth, TlsClientAuth::kOptional);
  EXPECT_EQ(options.tls.device_id_from, DeviceIdSource::kAltName);
  EXPECT_EQ(options.tls_handshake_threads, 3U);
  EXPECT_TRUE(options.listeners[0].tls.is_required);
  EXPECT_EQ(options.listeners[0].tls.client_auth, ListenerClientAuth::kRequired);
  EXPECT_EQ(loaded(options_text(options)), options);
}

TEST_F(OptionTableTest, ALongValueIsCutInItsError) {
  const std::string error = error_of("log.level = \"" + std::string(3000, 'x') + "\"");
  EXPECT_LT(error.size(), 250U);
  EXPECT_TRUE(contains(error, "xxx... is not allowed")) << error;
}

}  // namespace
}  // namespace holdfast
