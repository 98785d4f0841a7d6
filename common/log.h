#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <variant>

// Structured log lines on standard error: a sentence and fields, as text or as one JSON object a
// line. Whatever a peer sent is escaped, so no field can end a line or forge another.
// Thread: any.
namespace holdfast::log {

enum class Level : uint8_t { kDebug, kInfo, kWarn, kError };
enum class Format : uint8_t { kText, kJson };

using Value = std::variant<std::string_view, int64_t, uint64_t, double, bool>;

struct Field {
  Field(std::string_view field_key, std::string_view text) : key(field_key), value(text) {}
  Field(std::string_view field_key, const char* text)
      : key(field_key), value(std::string_view(text)) {}
  Field(std::string_view field_key, bool flag) : key(field_key), value(flag) {}
  Field(std::string_view field_key, double number) : key(field_key), value(number) {}
  template <std::signed_integral Number>
  Field(std::string_view field_key, Number number)
      : key(field_key), value(static_cast<int64_t>(number)) {}
  template <std::unsigned_integral Number>
  Field(std::string_view field_key, Number number)
      : key(field_key), value(static_cast<uint64_t>(number)) {}

  std::string_view key;
  Value value;
};

using Fields = std::initializer_list<Field>;

// Before threads start; set_level also later (a reload).
void set_format(Format format);
void set_level(Level level);
bool is_on(Level level);

void write(Level level, std::string_view sentence, Fields fields);

inline void debug(std::string_view sentence, Fields fields = {}) {
  if (is_on(Level::kDebug)) write(Level::kDebug, sentence, fields);
}
inline void info(std::string_view sentence, Fields fields = {}) {
  write(Level::kInfo, sentence, fields);
}
inline void warn(std::string_view sentence, Fields fields = {}) {
  write(Level::kWarn, sentence, fields);
}
inline void error(std::string_view sentence, Fields fields = {}) {
  write(Level::kError, sentence, fields);
}

}  // namespace holdfast::log
