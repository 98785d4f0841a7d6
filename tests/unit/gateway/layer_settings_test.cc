#include "gateway/layer_settings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/unit/gateway/options_fixture.h"

namespace holdfast {
namespace {

class LayerSettingsTest : public OptionsFixture {};

TEST_F(LayerSettingsTest, LoopsAreToldOfTls) {
  const Options options = loaded(
      "tls.handshake_timeout_ms = 700\n"
      "tls.handshakes_max = 9\n"
      "tls.idle_steps = 3\n");
  const auto settings = loop_settings(options, {{nullptr, true}}, 1);
  ASSERT_EQ(settings->tls.size(), 1U);
  EXPECT_TRUE(settings->tls[0].is_required);
  EXPECT_EQ(settings->liveness.tls_handshake_timeout_ms, 700U);
  EXPECT_EQ(settings->tls_handshakes_max, 9U);
  EXPECT_EQ(settings->tls_idle_steps, 3U);
}

TEST_F(LayerSettingsTest, HalfTheCoresShakeHandsUnlessSaidOtherwise) {
  const Options options = loaded("");
  EXPECT_EQ(handshake_threads(options, 1), 1U);
  EXPECT_EQ(handshake_threads(options, 2), 1U);
  EXPECT_EQ(handshake_threads(options, 9), 4U);
  EXPECT_EQ(handshake_threads(loaded("tls.handshake_threads = 7\n"), 2), 7U);
}

TEST_F(LayerSettingsTest, AReloadTakesOnTls) {
  const Options running = loaded("");
  const Options wanted =
      loaded("", {"tls.cert_file=a.pem", "tls.key_file=a.key", "tls.handshake_threads=5",
                  "listener.tls=true", "listener.backlog=7"});
  const Options merged = with_reloadable(running, wanted);
  EXPECT_EQ(merged.tls, wanted.tls);
  EXPECT_TRUE(merged.listeners[0].tls.is_required);
  EXPECT_EQ(merged.listeners[0].backlog, running.listeners[0].backlog);
  EXPECT_EQ(merged.tls_handshake_threads, 0U);
}

// What another listener is to do must not come to one that runs because it stands in its place.
TEST_F(LayerSettingsTest, AListenerThatMovedWaitsForARestart) {
  const Options running = loaded(
      "[[listener]]\nbind = \"127.0.0.1:1\"\ntls = true\ncert_file = "
      "\"a\"\nkey_file = \"a\"\n");
  const Options wanted = loaded("[[listener]]\nbind = \"127.0.0.1:2\"\n");
  EXPECT_EQ(with_reloadable(running, wanted).listeners, running.listeners);
  const Options more = loaded(
      "[[listener]]\nbind = \"127.0.0.1:1\"\n[[listener]]\nbind = "
      "\"127.0.0.1:2\"\n");
  EXPECT_FALSE(with_reloadable(running, more).listeners[0].tls.is_required);
  EXPECT_EQ(with_reloadable(running, more).listeners.size(), 1U);
}

}  // namespace
}  // namespace holdfast
