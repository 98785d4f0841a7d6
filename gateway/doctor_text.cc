#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <iterator>

#include <nlohmann/json.hpp>

#include "gateway/doctor.h"

// How findings look: the table and the JSON of `holdfast doctor`.
namespace holdfast {
namespace {

size_t widest(std::span<const Finding> findings, std::string_view title,
              std::string Finding::*column) {
  size_t width = title.size();
  for (const Finding& finding : findings) width = std::max(width, (finding.*column).size());
  return width;
}

Verdict worst(std::span<const Finding> findings) {
  Verdict verdict = Verdict::kOk;
  for (const Finding& finding : findings) verdict = std::max(verdict, finding.verdict);
  return verdict;
}

std::string summary_line(std::span<const Finding> findings, uint32_t connections) {
  switch (worst(findings)) {
    case Verdict::kOk:
      return fmt::format("{} connections will hold.\n", connections);
    case Verdict::kWarn:
      return fmt::format("{} connections will hold; the warnings say what would be better.\n",
                         connections);
    case Verdict::kFail:
      return fmt::format("{} connections will NOT hold.\n", connections);
  }
  return {};
}

std::string_view profile_for(uint32_t connections) {
  if (connections <= 100'000) return "gateway-100k";
  return connections <= 1'000'000 ? "gateway-1m" : "gateway-2m";
}

// Many settings at once are a profile's business.
std::string profile_line(std::span<const Finding> findings, uint32_t connections) {
  const bool helps = std::any_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.mend.starts_with("sudo sysctl ");
  });
  if (!helps) return {};
  return fmt::format("\nThe kernel settings all at once, with reasons: sudo tools/sysctl {}\n",
                     profile_for(connections));
}

}  // namespace

std::string findings_table(std::span<const Finding> findings, uint32_t connections) {
  const size_t name_width = widest(findings, "setting", &Finding::name);
  const size_t found_width = widest(findings, "found", &Finding::found);
  fmt::memory_buffer out;
  const auto row = [&](std::string_view verdict, std::string_view name, std::string_view found,
                       std::string_view needed) {
    fmt::format_to(std::back_inserter(out), "{:<4}  {:<{}}  {:<{}}  {}\n", verdict, name,
                   name_width, found, found_width, needed);
  };
  row("", "setting", "found", "needed");
  for (const Finding& finding : findings) {
    row(verdict_text(finding.verdict), finding.name, finding.found, finding.needed);
  }
  for (const Finding& finding : findings) {
    if (finding.verdict == Verdict::kOk) continue;
    fmt::format_to(std::back_inserter(out), "\n{} {}: {}\n     {}\n", verdict_text(finding.verdict),
                   finding.name, finding.why, finding.mend);
  }
  return fmt::to_string(out) + profile_line(findings, connections) + "\n" +
         summary_line(findings, connections);
}

std::string findings_json(std::span<const Finding> findings, uint32_t connections) {
  nlohmann::json list = nlohmann::json::array();
  for (const Finding& finding : findings) {
    list.push_back({{"name", finding.name},
                    {"verdict", verdict_text(finding.verdict)},
                    {"found", finding.found},
                    {"needed", finding.needed},
                    {"mend", finding.mend},
                    {"why", finding.why}});
  }
  const nlohmann::json report = {{"connections", connections},
                                 {"verdict", verdict_text(worst(findings))},
                                 {"findings", std::move(list)}};
  return report.dump(2) + "\n";
}

}  // namespace holdfast
