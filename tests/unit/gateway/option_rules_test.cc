#include "gateway/option_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/gateway/options_fixture.h"

namespace holdfast {
namespace {

class OptionRulesTest : public OptionsFixture {};

TEST_F(OptionRulesTest, HeartbeatBoundsMustHoldTheDefault) {
  EXPECT_NE(error_of("heartbeat.max_s = 10\nheartbeat.default_s = 30\n")
                .find("heartbeat.default_s (30) is not between heartbeat.min_s (1) and "
                      "heartbeat.max_s (10), where it must lie"),
            std::string::npos);
  EXPECT_NE(error_of("heartbeat.min_s = 40\nheartbeat.default_s = 30\n")
                .find("heartbeat.default_s (30) is not between heartbeat.min_s (40) and "
                      "heartbeat.max_s (1800), where it must lie"),
            std::string::npos);
  EXPECT_EQ(
      error_of("heartbeat.max_s = 10\nheartbeat.min_s = 20\n"),
      "a.toml:2: heartbeat.min_s: heartbeat.min_s (20) is above heartbeat.max_s (10): it may be "
      "equal at most");
  loaded("heartbeat.min_s = 30\nheartbeat.max_s = 30\n");
}

TEST_F(OptionRulesTest, ADefaultThatWasNotSetGivesWayToBoundsThatWere) {
  EXPECT_EQ(loaded("heartbeat.max_s = 10\n").heartbeat.default_s, 10);
  EXPECT_EQ(loaded("heartbeat.min_s = 40\n").heartbeat.default_s, 40);
  EXPECT_EQ(loaded("limits.frame_max_bytes = 1048576\n").limits.send_queue_max_bytes, 1048576u);
}

TEST_F(OptionRulesTest, TheLongestTimeoutMustFitTheWelcome) {
  EXPECT_EQ(error_of("heartbeat.misses = 37\n"),
            "a.toml:1: heartbeat.misses: heartbeat.max_s (1800) times heartbeat.misses (37) is too "
            "long a timeout: at most 65535 seconds are allowed");
  loaded("heartbeat.max_s = 65535\nheartbeat.misses = 1\n");
  loaded("heartbeat.max_s = 21845\nheartbeat.misses = 3\n");
  EXPECT_NE(error_of("heartbeat.max_s = 21846\nheartbeat.misses = 3\n"), "no error");
}

TEST_F(OptionRulesTest, AQueueMustHoldAFrameAndTheBudgetAConnection) {
  EXPECT_EQ(
      error_of("limits.send_queue_max_bytes = 4096\n"),
      "a.toml:1: limits.send_queue_max_bytes: limits.send_queue_max_bytes (4096) is less than "
      "limits.frame_max_bytes (65536): a queue must hold the largest frame");
  loaded("limits.send_queue_max_bytes = 4096\nlimits.frame_max_bytes = 4096\n");
  EXPECT_EQ(
      error_of("[limits]\nmemory_max_mib = 1\nsend_queue_max_bytes = 1048576\n"),
      "a.toml:2: limits.memory_max_mib: limits.memory_max_mib (1) is less than one connection "
      "may need: at least limits.send_queue_max_bytes (1048576) and limits.frame_max_bytes "
      "(65536) together, or 0 (off)");
}

// A value that was refused is unknown: a rule that needs it would only add a false second error.
TEST_F(OptionRulesTest, ARefusedValueIsNotBlamedTwice) {
  EXPECT_EQ(error_of("heartbeat.default_s = \"x\"\nheartbeat.max_s = 10\n"),
            "a.toml:1: heartbeat.default_s: \"x\" is not allowed: whole number of seconds, 1 to "
            "65535");
}

TEST_F(OptionRulesTest, AFileThatCannotBeReadIsTheOnlyError) {
  const std::string error = error_of("heartbeat.default_s 5\n", {"heartbeat.max_s=10"});
  EXPECT_TRUE(error.starts_with("a.toml:1: ")) << error;
  EXPECT_FALSE(contains(error, "\n")) << error;
}

TEST_F(OptionRulesTest, ACertificateNeedsItsKey) {
  EXPECT_EQ(error_of("tls.cert_file = \"a.pem\"\n"),
            "a.toml:1: tls.cert_file: tls.key_file names 0 files, and tls.cert_file names 1 file: "
            "each certificate needs its key, in the same order");
  EXPECT_EQ(error_of("tls.cert_file = \"a.pem\"\ntls.key_file = [\"a.key\", \"b.key\"]\n"),
            "a.toml:2: tls.key_file: tls.key_file names 2 files, and tls.cert_file names 1 file: "
            "each certificate needs its key, in the same order");
  EXPECT_EQ(error_of("[[listener]]\nkey_file = \"a.key\"\n"),
            "a.toml:2: listener.key_file: listener.key_file names 1 file, and listener.cert_file "
            "names 0 files: each certificate needs its key, in the same order");
  EXPECT_EQ(error_of("[tls]\ncert_file = [\"a\", \"\"]\nkey_file = [\"a\", \"b\"]\n"),
            "a.toml:2: tls.cert_file: an empty path stands among the files: name a certificate and "
            "a key in each place");
}

TEST_F(OptionRulesTest, ResponsesStandBesideTheirCertificates) {
  const std::string files = "[tls]\ncert_file = [\"a\", \"b\"]\nkey_file = [\"a\", \"b\"]\n";
  EXPECT_EQ(error_of(files + "ocsp_file = \"a.ocsp\"\n"),
            "a.toml:4: tls.ocsp_file: tls.ocsp_file names 1 file, and tls.cert_file names 2 files: "
            "one is needed for each, in the same order, \"\" where there is none");
  loaded(files + "ocsp_file = [\"\", \"b.ocsp\"]\n");
}

TEST_F(OptionRulesTest, TlsNeedsACertificate) {
  EXPECT_EQ(error_of("[[listener]]\ntls = true\n"),
            "a.toml:2: listener.tls: listener.tls is true, and there is no certificate: set "
            "tls.cert_file and tls.key_file");
  loaded("[tls]\ncert_file = \"a\"\nkey_file = \"a\"\n[[listener]]\ntls = true\n");
  loaded("[[listener]]\ntls = true\ncert_file = \"a\"\nkey_file = \"a\"\n");
}

TEST_F(OptionRulesTest, ClientAuthNeedsAnAuthority) {
  const std::string fault =
      "tls.client_auth asks for certificates, and there is nothing to check them with: name the "
      "authority's file in tls.client_ca_file";
  EXPECT_EQ(error_of("tls.client_auth = \"optional\"\n"), "a.toml:1: tls.client_auth: " + fault);
  EXPECT_EQ(error_of("tls.client_auth = \"optional\"\n[[listener]]\n[[listener]]\nbind = "
                     "\"127.0.0.1:1\"\n"),
            "a.toml:1: tls.client_auth: " + fault)
      << "one fault, one line";
  EXPECT_EQ(error_of("[[listener]]\nclient_auth = \"optional\"\n"),
            "a.toml:2: listener.client_auth: listener.client_auth asks for certificates, and there "
            "is nothing to check them with: name the authority's file in tls.client_ca_file or "
            "listener.client_ca_file");
  loaded("tls.client_auth = \"optional\"\ntls.client_ca_file = \"ca\"\n");
  loaded("tls.client_auth = \"optional\"\n[[listener]]\nclient_ca_file = \"ca\"\n");
  loaded("tls.client_auth = \"optional\"\n[[listener]]\nclient_auth = \"off\"\n");
}

// A plain connection shows no certificate: it would pass by what is required of the others.
TEST_F(OptionRulesTest, ACertificateIsNotRequiredWherePlainConnectionsAreTaken) {
  const std::string tls = "[tls]\ncert_file = \"a\"\nkey_file = \"a\"\nclient_ca_file = \"ca\"\n";
  EXPECT_EQ(error_of(tls + "client_auth = \"required\"\n"),
            "a.toml:5: tls.client_auth: the listener on 127.0.0.1:7000 takes plain connections "
            "too, which show no certificate, and tls.client_auth is \"required\": set listener.tls "
            "= true, or listener.client_auth = \"off\"");
  EXPECT_EQ(error_of(tls + "[[listener]]\nclient_auth = \"required\"\ntls = false\n"),
            "a.toml:7: listener.tls: the listener on 127.0.0.1:7000 takes plain connections "
            "too, which show no certificate, and listener.client_auth is \"required\": set "
            "listener.tls = true, or listener.client_auth = \"off\"");
  loaded(tls + "client_auth = \"required\"\n[[listener]]\ntls = true\n");
  loaded(tls + "client_auth = \"required\"\n[[listener]]\nclient_auth = \"off\"\n");
  loaded(tls + "client_auth = \"optional\"\n");
}

// Pure: also what no file could say is judged, as a reload hands it over.
TEST_F(OptionRulesTest, ABreachNamesItsKeysTheLikeliestFirst) {
  Options options = loaded("");
  EXPECT_TRUE(find_breaches(options).empty());
  options.listeners.push_back(options.listeners[0]);
  const std::vector<RuleBreach> breaches = find_breaches(options);
  ASSERT_EQ(breaches.size(), 1U);
  EXPECT_EQ(breaches[0].keys, (std::vector<std::string>{"listener.bind#1", "admin.bind"}));
}

}  // namespace
}  // namespace holdfast
