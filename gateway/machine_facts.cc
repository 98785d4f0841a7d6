#include "gateway/machine_facts.h"

#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>
#include <system_error>

#include "gateway/sysctl_rules.h"

namespace holdfast {
namespace {

std::optional<std::string> read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file.is_open()) return std::nullopt;
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  return text;
}

std::string with_single_spaces(const std::string& text) {
  std::istringstream words(text);
  std::string joined;
  for (std::string word; words >> word;) {
    if (!joined.empty()) joined += ' ';
    joined += word;
  }
  return joined;
}

std::optional<uint64_t> to_number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  return value;
}

std::optional<uint64_t> read_number(const std::string& path) {
  const std::optional<std::string> text = read_text(path);
  return text ? to_number(*text) : std::nullopt;
}

void read_descriptor_limits(MachineFacts& facts) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  facts.descriptors_soft = limit.rlim_cur;
  facts.descriptors_hard = limit.rlim_max;
}

// "MemAvailable:   24423868 kB"
void read_memory(MachineFacts& facts) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  uint64_t kibibytes = 0;
  std::string rest;
  while (file >> name >> kibibytes && std::getline(file, rest)) {
    if (name == "MemTotal:") facts.memory_total_bytes = kibibytes * 1024;
    if (name == "MemAvailable:") facts.memory_available_bytes = kibibytes * 1024;
  }
}

struct GroupFiles {
  const char* mount;
  const char* limit;
  const char* used;
};
constexpr GroupFiles kVersion1{"/sys/fs/cgroup/memory", "memory.limit_in_bytes",
                               "memory.usage_in_bytes"};
constexpr GroupFiles kVersion2{"/sys/fs/cgroup", "memory.max", "memory.current"};

void take_tightest(MachineFacts& facts, const GroupFiles& files, const std::string& path) {
  for (const std::string& directory : control_group_directories(files.mount, path)) {
    // "max" is no number; version 1 says "unlimited" with a number near 2^63.
    const std::optional<uint64_t> limit = read_number(directory + "/" + files.limit);
    if (!limit || *limit >= uint64_t{1} << 60) continue;
    if (facts.cgroup_limit_bytes && *facts.cgroup_limit_bytes <= *limit) continue;
    facts.cgroup_limit_bytes = *limit;
    facts.cgroup_used_bytes = read_number(directory + "/" + files.used).value_or(0);
  }
}

// Lines of /proc/self/cgroup: "4:memory:/group" (version 1), "0::/group" (version 2).
void read_control_groups(MachineFacts& facts) {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
    const std::string path = line.substr(second + 1);
    if (controllers == ",,") take_tightest(facts, kVersion2, path);
    if (controllers.find(",memory,") != std::string::npos) take_tightest(facts, kVersion1, path);
  }
}

uint32_t count_cores_allowed() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 0;
  return static_cast<uint32_t>(CPU_COUNT(&allowed));
}

void read_sysctl(MachineFacts& facts, std::string_view key) {
  std::string path(key);
  std::replace(path.begin(), path.end(), '.', '/');
  std::optional<std::string> text = read_text("/proc/sys/" + path);
  if (text) facts.sysctls.emplace(key, with_single_spaces(*text));
}

}  // namespace

MachineFacts read_machine_facts() {
  MachineFacts facts;
  read_descriptor_limits(facts);
  facts.files_open = read_number("/proc/sys/fs/file-nr").value_or(0);
  for (const std::string_view key : sysctl_keys()) read_sysctl(facts, key);
  read_memory(facts);
  read_control_groups(facts);
  facts.cores_allowed = count_cores_allowed();
  return facts;
}

std::vector<std::string> control_group_directories(const std::string& mount,
                                                   const std::string& path) {
  std::vector<std::string> directories;
  std::string rest = path;
  while (!rest.empty() && rest != "/") {
    directories.push_back(mount + rest);
    rest.erase(rest.rfind('/'));
  }
  directories.push_back(mount);
  return directories;
}

}  // namespace holdfast
