// One scanner that finds the end of the next unit; counting, splitting and truncating all step through it.
#include "tokenizer/text_units.hpp"

#include <cstdint>

namespace tokenizer {
namespace {

constexpr std::size_t kMaxWordLetters = 16;
constexpr std::size_t kMaxNumberDigits = 3;

enum class Kind : std::uint8_t { space, letter, digit, alone, punctuation, invalid };

/// One decoded code point: its class and how many bytes it takes (1 for an invalid byte).
struct Point {
  Kind kind = Kind::invalid;
  std::size_t bytes = 1;
};

constexpr bool is_between(std::uint32_t c, std::uint32_t low, std::uint32_t high) {
  return c >= low && c <= high;
}

Kind kind_of_ascii(unsigned char c) {
  if (c == ' ' || (c >= '\t' && c <= '\r')) return Kind::space;
  if (c >= '0' && c <= '9') return Kind::digit;
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return Kind::letter;
  return Kind::punctuation;
}

Kind kind_of(std::uint32_t c) {
  if (c == 0x85 || c == 0xA0 || is_between(c, 0x2000, 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x3000) {
    return Kind::space;
  }
  if (is_between(c, 0x80, 0xBF) || is_between(c, 0x200B, 0x2BFF)) return Kind::punctuation;
  // CJK radicals to ideographs and kana, Hangul syllables, compatibility and full-width forms, the later planes.
  if (is_between(c, 0x2E80, 0x9FFF) || is_between(c, 0xA000, 0xA4CF) || is_between(c, 0xAC00, 0xD7AF) ||
      is_between(c, 0xF900, 0xFAFF) || is_between(c, 0xFE30, 0xFE4F) || is_between(c, 0xFF00, 0xFFEF) || c >= 0x1F000) {
    return Kind::alone;
  }
  return Kind::letter;
}

/// Decodes the code point at `at`. Overlong forms, surrogates and cut-off sequences are invalid, one byte at a time.
Point decode(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {kind_of_ascii(first), 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() - at < length) return {};
  std::uint32_t point = first & (0xFFU >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return {};
    point = (point << 6U) | (byte(i) & 0x3FU);
  }
  const std::uint32_t smallest = length == 4 ? 0x10000U : length == 3 ? 0x800U : 0x80U;
  if (point < smallest || point > 0x10FFFF || is_between(point, 0xD800, 0xDFFF)) return {};
  return {kind_of(point), length};
}

/// End of the run of `kind` that starts at `at`, at most `limit` code points long.
std::size_t run_end(std::string_view text, std::size_t at, Kind kind, std::size_t limit) {
  for (std::size_t n = 0; n < limit && at < text.size(); ++n) {
    const Point point = decode(text, at);
    if (point.kind != kind) break;
    at += point.bytes;
  }
  return at;
}

/// True where a space at `at` belongs to the unit after it.
bool is_leading_space(std::string_view text, std::size_t at) {
  if (text[at] != ' ' || at + 1 >= text.size()) return false;
  const Kind next = decode(text, at + 1).kind;
  return next == Kind::letter || next == Kind::digit || next == Kind::punctuation;
}

std::size_t space_end(std::string_view text, std::size_t at) {
  while (at < text.size()) {
    const Point point = decode(text, at);
    if (point.kind != Kind::space || is_leading_space(text, at)) break;
    at += point.bytes;
  }
  return at;
}

/// Where the unit that starts at `at` ends; always past `at`.
std::size_t unit_end(std::string_view text, std::size_t at) {
  const std::size_t start = is_leading_space(text, at) ? at + 1 : at;
  const Point point = decode(text, start);
  switch (point.kind) {
    case Kind::space:
      return space_end(text, start);
    case Kind::letter:
      return run_end(text, start, Kind::letter, kMaxWordLetters);
    case Kind::digit:
      return run_end(text, start, Kind::digit, kMaxNumberDigits);
    case Kind::alone:
    case Kind::punctuation:
    case Kind::invalid:
      break;
  }
  return start + point.bytes;
}

}  // namespace

std::vector<std::string_view> split_units(std::string_view text) {
  std::vector<std::string_view> units;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = unit_end(text, at);
    units.push_back(text.substr(at, end - at));
    at = end;
  }
  return units;
}

std::size_t count_units(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t at = 0; at < text.size(); at = unit_end(text, at)) ++count;
  return count;
}

std::string_view last_units(std::string_view text, std::size_t count) {
  const std::size_t total = count_units(text);
  std::size_t at = 0;
  for (std::size_t skipped = count; skipped < total; ++skipped) at = unit_end(text, at);
  return text.substr(at);
}

}  // namespace tokenizer
