#include "common/log.h"

#include <spdlog/fmt/fmt.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <string>

namespace holdfast::log {
namespace {

std::atomic<Format> line_format{Format::kText};
std::atomic<Level> level_min{Level::kInfo};

spdlog::logger& logger() {
  // Left alive for good: threads may still log while statics are torn down.
  static spdlog::logger* const instance = [] {
    auto* made = new spdlog::logger("holdfast", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::debug);
    made->flush_on(spdlog::level::debug);
    made->set_pattern("%v");
    return made;
  }();
  return *instance;
}

std::string_view level_name(Level level) {
  switch (level) {
    case Level::kDebug:
      return "debug";
    case Level::kInfo:
      return "info";
    case Level::kWarn:
      return "warn";
    case Level::kError:
      return "error";
  }
  return "error";
}

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarn:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

// JSON's escapes, which serve text lines too. Bytes above 0x7E are escaped one by one: a terminal
// sees neither control sequences nor broken UTF-8.
void append_quoted(fmt::memory_buffer& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (byte < 0x20 || byte > 0x7E) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

void append_value(fmt::memory_buffer& out, const Value& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) {
    append_quoted(out, *text);
  } else {
    std::visit(
        [&out](const auto& number) {
          if constexpr (!std::is_same_v<std::decay_t<decltype(number)>, std::string_view>) {
            fmt::format_to(std::back_inserter(out), "{}", number);
          }
        },
        value);
  }
}

void append_utc_now(fmt::memory_buffer& out) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                 parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min,
                 parts.tm_sec, now.tv_nsec / 1'000'000);
}

void append_text_line(fmt::memory_buffer& out, Level level, std::string_view sentence,
                      Fields fields) {
  append_utc_now(out);
  fmt::format_to(std::back_inserter(out), " {:<5} {}", level_name(level), sentence);
  for (const Field& field : fields) {
    fmt::format_to(std::back_inserter(out), " {}=", field.key);
    append_value(out, field.value);
  }
}

void append_json_line(fmt::memory_buffer& out, Level level, std::string_view sentence,
                      Fields fields) {
  fmt::format_to(std::back_inserter(out), "{{\"time\":\"");
  append_utc_now(out);
  fmt::format_to(std::back_inserter(out), "\",\"level\":\"{}\",\"message\":", level_name(level));
  append_quoted(out, sentence);
  for (const Field& field : fields) {
    fmt::format_to(std::back_inserter(out), ",\"{}\":", field.key);
    append_value(out, field.value);
  }
  out.push_back('}');
}

}  // namespace

void set_format(Format format) { line_format.store(format, std::memory_order_relaxed); }
void set_level(Level level) { level_min.store(level, std::memory_order_relaxed); }
bool is_on(Level level) { return level >= level_min.load(std::memory_order_relaxed); }

void write(Level level, std::string_view sentence, Fields fields) {
  if (!is_on(level)) return;
  fmt::memory_buffer line;
  if (line_format.load(std::memory_order_relaxed) == Format::kJson) {
    append_json_line(line, level, sentence, fields);
  } else {
    append_text_line(line, level, sentence, fields);
  }
  logger().log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace holdfast::log
