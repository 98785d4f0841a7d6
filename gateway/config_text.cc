#include "gateway/config_text.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <system_error>
#include <utility>

#include "common/protocol/utf8.h"

namespace holdfast {
namespace {

constexpr size_t kLineBytesMax = 4096;  // keys stand in errors as they are
constexpr std::string_view kBareKeyCharacters =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

std::string key_part_text(std::string_view part) {
  const bool is_bare =
      !part.empty() && part.find_first_not_of(kBareKeyCharacters) == std::string_view::npos;
  return is_bare ? std::string(part) : quoted_text(part);
}

// Cuts the first line off `text`, its end included, and returns it without.
std::string_view take_line(std::string_view& text) {
  std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// So that the parser meets UTF-8 without control characters: NUL can then stand for the end.
std::optional<ConfigSyntaxError> find_bad_line(std::string_view text) {
  for (uint32_t number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    if (line.size() > kLineBytesMax) {
      return ConfigSyntaxError{
          number, "the line is longer than " + std::to_string(kLineBytesMax) + " bytes"};
    }
    if (!is_valid_utf8(line)) return ConfigSyntaxError{number, "the line is not UTF-8"};
    const bool is_printable = std::ranges::none_of(line, [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F;
    });
    if (!is_printable) return ConfigSyntaxError{number, "the line has a control character"};
  }
  return std::nullopt;
}

void append_utf8(std::string& text, uint32_t scalar) {
  const auto tail = [scalar](int shift) {
    return static_cast<char>(0x80 | (scalar >> shift & 0x3F));
  };
  if (scalar < 0x80) {
    text += static_cast<char>(scalar);
  } else if (scalar < 0x800) {
    text += {static_cast<char>(0xC0 | scalar >> 6), tail(0)};
  } else if (scalar < 0x10000) {
    text += {static_cast<char>(0xE0 | scalar >> 12), tail(6), tail(0)};
  } else {
    text += {static_cast<char>(0xF0 | scalar >> 18), tail(12), tail(6), tail(0)};
  }
}

// Reads checked text (see find_bad_line) from front to back. A function that returns false or
// nothing has noted why in error().
class ConfigParser final {
 public:
  explicit ConfigParser(std::string_view text) : rest_(text) {}

  bool parse_document();
  std::optional<ConfigValue> parse_value();

  bool is_at_end() const { return rest_.empty(); }
  std::vector<ConfigEntry>& entries() { return entries_; }
  const ConfigSyntaxError& error() const { return error_; }

 private:
  // What keys are below at the moment.
  struct Section {
    std::string name;
    std::optional<size_t> element;
    uint32_t line = 0;
    bool is_empty = false;
  };

  bool parse_section();
  bool parse_assignment();
  bool open_section(std::string name, bool is_repeated);
  void close_section();
  bool has_keys_below(const std::string& name) const;
  bool note_first(const std::string& what);
  std::optional<std::string> parse_key();
  std::optional<std::string> parse_key_part();
  std::optional<ConfigValue> parse_list();
  std::optional<std::string> parse_text();
  bool parse_escape(std::string& text);
  bool parse_line_end();

  char peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  char take();
  bool take_if(char wanted);
  std::string_view take_word();
  void skip_blanks();
  void skip_lines();
  bool fail(std::string why);
  std::nullopt_t none(std::string why) {
    fail(std::move(why));
    return std::nullopt;
  }

  std::string_view rest_;
  uint32_t line_ = 1;
  Section section_;
  std::map<std::string, size_t> repeated_;   // sections in [[ ]]: how many
  std::map<std::string, uint32_t> defined_;  // keys and sections: in which line
  std::vector<ConfigEntry> entries_;
  ConfigSyntaxError error_;
};

char ConfigParser::take() {
  const char c = peek();
  if (c == '\n') ++line_;
  if (!rest_.empty()) rest_.remove_prefix(1);
  return c;
}

bool ConfigParser::take_if(char wanted) {
  if (peek() != wanted) return false;
  take();
  return true;
}

// Whatever stands up to the next mark of the grammar; may be empty.
std::string_view ConfigParser::take_word() {
  const std::string_view word = rest_.substr(0, rest_.find_first_of(" \t\r\n,[]{}#=\"'"));
  rest_.remove_prefix(word.size());
  return word;
}

// A carriage return stands before a line's end only.
void ConfigParser::skip_blanks() {
  while (peek() == ' ' || peek() == '\t' || peek() == '\r') take();
}

// Blanks, comments and ends of lines.
void ConfigParser::skip_lines() {
  for (skip_blanks(); peek() == '#' || peek() == '\n'; skip_blanks()) {
    if (peek() == '#') rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
    take_if('\n');
  }
}

bool ConfigParser::fail(std::string why) {
  error_ = {line_, std::move(why)};
  return false;
}

bool ConfigParser::parse_document() {
  for (skip_lines(); !is_at_end(); skip_lines()) {
    const bool is_read = peek() == '[' ? parse_section() : parse_assignment();
    if (!is_read) return false;
  }
  close_section();
  return true;
}

bool ConfigParser::parse_line_end() {
  skip_blanks();
  if (is_at_end() || peek() == '#' || peek() == '\n') return true;
  return fail("the line should end here, or a comment begin");
}

bool ConfigParser::parse_section() {
  take();
  const bool is_repeated = take_if('[');
  auto name = parse_key();
  if (!name) return false;
  const bool is_closed = take_if(']') && (!is_repeated || take_if(']'));
  if (!is_closed) return fail("a section is written [name] or [[name]]");
  return parse_line_end() && open_section(std::move(*name), is_repeated);
}

bool ConfigParser::open_section(std::string name, bool is_repeated) {
  close_section();
  const bool is_further = is_repeated && repeated_.contains(name);
  if (!is_further && !note_first(name)) return false;
  if (is_repeated && !is_further && has_keys_below(name)) {
    return fail(name + " has keys already: it cannot be repeated");
  }
  section_ = {std::move(name), std::nullopt, line_, true};
  if (is_repeated) section_.element = repeated_[section_.name]++;
  return true;
}

// Such as `listener.bind = ...` before the first [[listener]].
bool ConfigParser::has_keys_below(const std::string& name) const {
  const auto below = defined_.lower_bound(name + ".");
  return below != defined_.end() && below->first.starts_with(name + ".");
}

void ConfigParser::close_section() {
  if (!section_.is_empty) return;
  entries_.push_back({section_.name, section_.element, section_.line, EmptyTable{}});
  section_.is_empty = false;
}

bool ConfigParser::note_first(const std::string& what) {
  const auto [found, is_first] = defined_.try_emplace(what, line_);
  return is_first ||
         fail(what + " is defined twice, first in line " + std::to_string(found->second));
}

bool ConfigParser::parse_assignment() {
  const uint32_t line = line_;
  auto name = parse_key();
  if (!name) return false;
  if (!take_if('=')) return fail("a setting is written key = value");
  std::string key = (section_.name.empty() ? "" : section_.name + ".") + *name;
  const std::string number = section_.element ? "#" + std::to_string(*section_.element) : "";
  if (!note_first(key + number)) return false;
  skip_blanks();
  auto value = parse_value();
  if (!value || !parse_line_end()) return false;
  section_.is_empty = false;
  entries_.push_back({std::move(key), section_.element, line, std::move(*value)});
  return true;
}

std::optional<std::string> ConfigParser::parse_key() {
  std::string key;
  do {
    skip_blanks();
    const auto part = parse_key_part();
    if (!part) return std::nullopt;
    key += (key.empty() ? "" : ".") + *part;
    skip_blanks();
  } while (take_if('.'));
  return key;
}

std::optional<std::string> ConfigParser::parse_key_part() {
  if (peek() == '"' || peek() == '\'') {
    const auto text = parse_text();
    return text ? std::optional(key_part_text(*text)) : std::nullopt;
  }
  const size_t size = std::min(rest_.find_first_not_of(kBareKeyCharacters), rest_.size());
  const std::string part(rest_.substr(0, size));
  rest_.remove_prefix(size);
  if (!part.empty()) return part;
  return none("a key of letters, digits, _ and - should stand here");
}

std::optional<ConfigValue> ConfigParser::parse_value() {
  if (peek() == '"' || peek() == '\'') {
    auto text = parse_text();
    return text ? std::optional<ConfigValue>(std::move(*text)) : std::nullopt;
  }
  if (peek() == '[') return parse_list();
  const std::string_view word = take_word();
  if (!word.empty()) return value_of_word(word);
  return none(peek() == '{' ? "a table in braces is not supported: write a section"
                            : "a value should stand here");
}

std::optional<ConfigValue> ConfigParser::parse_list() {
  take();
  std::vector<std::string> texts;
  std::vector<std::string> shown;
  for (skip_lines(); !take_if(']'); skip_lines()) {
    if (peek() == '[') return none("a list in a list is not supported");
    const auto item = parse_value();
    if (!item) return std::nullopt;
    shown.push_back(config_value_text(*item));
    if (const auto* text = std::get_if<std::string>(&*item)) texts.push_back(*text);
    skip_lines();
    if (take_if(',') || peek() == ']') continue;
    return none("a list should go on with , or end with ]");
  }
  if (texts.size() == shown.size()) return texts;
  return UnusableValue{list_text(shown)};
}

// "basic" with escapes, or 'literal'.
std::optional<std::string> ConfigParser::parse_text() {
  const char quote = take();
  if (rest_.starts_with(std::string(2, quote))) {
    return none("a text over several lines is not supported");
  }
  std::string text;
  while (!take_if(quote)) {
    if (is_at_end() || peek() == '\n') {
      return none("the text is not closed before the line ends");
    }
    const char c = take();
    if (c != '\\' || quote == '\'') {
      text += c;
    } else if (!parse_escape(text)) {
      return std::nullopt;
    }
  }
  return text;
}

bool ConfigParser::parse_escape(std::string& text) {
  constexpr std::string_view kLetters = "btnfr\"\\";
  constexpr std::string_view kMeanings = "\b\t\n\f\r\"\\";
  const char letter = peek();
  if (const size_t at = kLetters.find(letter); at != std::string_view::npos) {
    take();
    text += kMeanings[at];
    return true;
  }
  const size_t digits = letter == 'u' ? 4 : letter == 'U' ? 8 : 0;
  const std::string_view hex = rest_.substr(std::min<size_t>(1, rest_.size()), digits);
  uint32_t scalar = 0;
  const char* const end = hex.data() + hex.size();
  const auto [stop, failure] = std::from_chars(hex.data(), end, scalar, 16);
  const bool is_number =
      digits != 0 && hex.size() == digits && failure == std::errc{} && stop == end;
  const bool is_scalar = scalar < 0xD800 || (scalar > 0xDFFF && scalar <= 0x10FFFF);
  if (!is_number || !is_scalar) {
    return fail("\\ is followed by one of b t n f r \" \\ uXXXX UXXXXXXXX");
  }
  rest_.remove_prefix(1 + digits);
  append_utf8(text, scalar);
  return true;
}

// A line as a quotation, so that an error shows the key it stands at. Letters beyond ASCII are
// masked: the cut could fall inside one.
std::string quoted_line(std::string_view text, uint32_t number) {
  constexpr size_t kBytesMax = 80;
  for (uint32_t skipped = 1; skipped < number; ++skipped) take_line(text);
  const std::string_view line = take_line(text);
  std::string ascii(line.substr(0, kBytesMax));
  std::ranges::replace_if(
      ascii, [](char c) { return (c & 0x80) != 0; }, '?');
  return quoted_text(ascii) + (line.size() > kBytesMax ? "..." : "");
}

}  // namespace

std::variant<std::vector<ConfigEntry>, ConfigSyntaxError> parse_config_text(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (auto bad = find_bad_line(text)) return *std::move(bad);
  ConfigParser parser(text);
  if (parser.parse_document()) return std::move(parser.entries());
  ConfigSyntaxError error = parser.error();
  error.message += ", in " + quoted_line(text, error.line);
  return error;
}

std::optional<ConfigValue> parse_config_value(std::string_view text) {
  if (find_bad_line(text)) return std::nullopt;
  ConfigParser parser(text);
  auto value = parser.parse_value();
  return parser.is_at_end() ? value : std::nullopt;
}

}  // namespace holdfast
