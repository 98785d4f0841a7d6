#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "gateway/route/directory.h"
#include "gateway/route/session_cost.h"
#include "gateway/session/session_table.h"

// Prints, as one line of JSON, what an idle session is to take of user memory by the sizes of its
// parts, and what as many sessions as no descriptor limit allows to connect do take: the slope of
// the resident set over records and directory entries made as a loop makes them, without sockets.
// As the gateway's own (gateway/main.cc), but for what is freed going back at once instead of after
// a second: here no second passes.
extern "C" {
extern const char* const malloc_conf;
const char* const malloc_conf = "tcache_max:512,dirty_decay_ms:0,muzzy_decay_ms:0";
}

namespace holdfast::bench {
namespace {

constexpr uint32_t kStep = 250'000;
constexpr uint32_t kSessionsMax = 2'000'000;
constexpr uint16_t kHeartbeatS = 600;

uint64_t resident_bytes() {
  std::ifstream rollup("/proc/self/smaps_rollup");
  for (std::string line; std::getline(rollup, line);) {
    if (line.starts_with("Rss:")) return std::stoull(line.substr(4)) * 1024;
  }
  return 0;
}

// As conn_flood's: 16 characters.
std::string device_id(uint32_t number) {
  const std::string digits = std::to_string(number);
  return "flood-" + std::string(10 - digits.size(), '0') + digits;
}

class Crowd final {
 public:
  void grow_to(uint32_t sessions) {
    for (uint32_t number = table_.size(); number < sessions; ++number) {
      const uint32_t slot = table_.allocate();
      HotRecord& record = table_.hot(slot);
      record.state = SessionState::kOpen;
      record.heartbeat_s = kHeartbeatS;
      record.last_activity = WrappingMs(number);
      const std::string id = device_id(number);
      PeerIdentity& peer = table_.cold(slot).peer;
      peer.set_address(Address::from_ipv4({127, 0, 0, 2}, 40'000));
      peer.set_device(id, {});
      table_.sessions.push_newest(slot);
      table_.wheel.arm(slot, WrappingMs(number + kHeartbeatS * 1000u));
      HF_CHECK(!directory_.claim(id, SessionRef(0, slot, record.generation)));
    }
  }

 private:
  SessionTable table_{kSessionsMax, WrappingMs(0)};
  Directory directory_;
};

nlohmann::ordered_json budget() {
  using namespace session_cost;
  return {{"hot record", kHotRecordBytes},
          {"cold record", kColdRecordBytes},
          {"address and device id", kIdentityBytes},
          {"directory, at its emptiest after growing", kDirectoryBytes},
          {"arena's own", kArenaBytes},
          {"allocator", kAllocatorBytes},
          {"sum", kSum},
          {"budget", kBudgetBytes},
          {"aim", kAimBytes}};
}

nlohmann::ordered_json tls_bytes() {
  using namespace session_cost;
  return {{"a session without TLS", kSum},
          {"keys, ivs and secrets of both directions", kTlsKeysBytes},
          {"the rest of its record layer", kTlsRecordsBytes},
          {"pointers to what it has at times, alignment", kTlsConnectionBytes},
          {"its place in the pool", kTlsPlaceBytes},
          {"sum", kSum + kTlsSum}};
}

double slope(const std::vector<std::pair<double, double>>& points) {
  double mean_x = 0;
  double mean_y = 0;
  for (const auto& [x, y] : points) {
    mean_x += x / static_cast<double>(points.size());
    mean_y += y / static_cast<double>(points.size());
  }
  double rise = 0;
  double spread = 0;
  for (const auto& [x, y] : points) {
    rise += (x - mean_x) * (y - mean_y);
    spread += (x - mean_x) * (x - mean_x);
  }
  return rise / spread;
}

int run() {
  Crowd crowd;
  std::vector<std::pair<double, double>> points;
  nlohmann::ordered_json samples = nlohmann::ordered_json::array();
  for (uint32_t sessions = 0; sessions <= kSessionsMax; sessions += kStep) {
    crowd.grow_to(sessions);
    const uint64_t bytes = resident_bytes();
    points.emplace_back(sessions, bytes);
    samples.push_back({{"sessions", sessions}, {"rss_bytes", bytes}});
  }
  const std::vector<std::pair<double, double>> to_a_million(points.begin(), points.begin() + 5);
  const nlohmann::ordered_json line{{"budget_bytes", budget()},
                                    {"tls_bytes", tls_bytes()},
                                    {"samples", samples},
                                    {"rss_slope_to_a_million", slope(to_a_million)},
                                    {"rss_slope_to_two_million", slope(points)}};
  printf("%s\n", line.dump().c_str());
  return 0;
}

}  // namespace
}  // namespace holdfast::bench

int main() { return holdfast::bench::run(); }
