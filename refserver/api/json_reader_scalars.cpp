// The part of the reader that looks inside strings and numbers: escapes, UTF-8, digits.
#include <charconv>

#include "refserver/api/json_reader.hpp"

namespace refserver {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Length of the valid UTF-8 sequence at `at`, 0 if there is none.
std::size_t utf8_length(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() - at < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned char second = byte(1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return length;
}

bool is_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = utf8_length(text, at);
    if (length == 0) return false;
    at += length;
  }
  return true;
}

void append_utf8(std::uint32_t point, std::string& out) {
  const auto push = [&](std::uint32_t byte) { out += static_cast<char>(byte); };
  if (point < 0x80) {
    push(point);
  } else if (point < 0x800) {
    push(0xC0U | (point >> 6U)), push(0x80U | (point & 0x3FU));
  } else if (point < 0x10000) {
    push(0xE0U | (point >> 12U)), push(0x80U | ((point >> 6U) & 0x3FU)), push(0x80U | (point & 0x3FU));
  } else {
    push(0xF0U | (point >> 18U)), push(0x80U | ((point >> 12U) & 0x3FU));
    push(0x80U | ((point >> 6U) & 0x3FU)), push(0x80U | (point & 0x3FU));
  }
}

}  // namespace

bool JsonReader::read_raw_string(std::string& out) {
  out.clear();
  ++at_;
  for (;;) {
    const std::size_t start = at_;
    while (!at_end() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<unsigned char>(text_[at_]) >= 0x20)
      ++at_;
    out.append(text_.substr(start, at_ - start));
    if (at_end()) return fail_syntax_here("EOF while parsing a string"), false;
    const char c = text_[at_++];
    if (c == '"') break;
    if (c != '\\') return fail_syntax_here("control character (\\u0000-\\u001F) found while parsing a string"), false;
    if (!read_escape(out)) return false;
  }
  if (!is_utf8(out)) return fail_syntax_here("invalid unicode code point"), false;
  return true;
}

bool JsonReader::read_hex4(std::uint32_t& out) {
  if (text_.size() - at_ < 4) {
    at_ = text_.size();
    return fail_syntax_here("EOF while parsing a string"), false;
  }
  const char* const first = text_.data() + at_;
  const auto [end, ec] = std::from_chars(first, first + 4, out, 16);
  at_ += 4;
  if (ec != std::errc() || end != first + 4) return fail_syntax_here("invalid escape"), false;
  return true;
}

bool JsonReader::read_escape(std::string& out) {
  if (at_end()) return fail_syntax_here("EOF while parsing a string"), false;
  const char c = text_[at_++];
  constexpr std::string_view kNames = "\"\\/bfnrt";
  constexpr std::string_view kValues = "\"\\/\b\f\n\r\t";
  if (const std::size_t i = kNames.find(c); i != std::string_view::npos) return out += kValues[i], true;
  if (c != 'u') return fail_syntax_here("invalid escape"), false;
  std::uint32_t point = 0;
  if (!read_hex4(point)) return false;
  if (point >= 0xDC00 && point <= 0xDFFF) return fail_syntax_here("lone leading surrogate in hex escape"), false;
  if (point >= 0xD800 && point <= 0xDBFF) {
    if (at_end() || text_[at_++] != '\\') return fail_syntax_here("unexpected end of hex escape"), false;
    if (at_end() || text_[at_++] != 'u') return fail_syntax_here("unexpected end of hex escape"), false;
    std::uint32_t low = 0;
    if (!read_hex4(low)) return false;
    if (low < 0xDC00 || low > 0xDFFF) return fail_syntax_here("lone leading surrogate in hex escape"), false;
    point = 0x10000 + ((point - 0xD800) << 10U) + (low - 0xDC00);
  }
  append_utf8(point, out);
  return true;
}

bool JsonReader::skip_digits() {
  if (at_end()) return fail_syntax_here("EOF while parsing a value"), false;
  if (!is_digit(text_[at_])) return fail_syntax_next("invalid number"), false;
  while (!at_end() && is_digit(text_[at_])) ++at_;
  return true;
}

bool JsonReader::read_number(Number& out) {
  const std::size_t start = at_;
  const bool negative = text_[at_] == '-';
  if (negative) ++at_;
  const std::size_t digits = at_;
  if (!skip_digits()) return false;
  if (text_[digits] == '0' && at_ - digits > 1) {
    at_ = digits + 1;
    return fail_syntax_next("invalid number"), false;
  }
  bool integer = true;
  if (!at_end() && text_[at_] == '.') {
    integer = false;
    ++at_;
    if (!skip_digits()) return false;
  }
  if (!at_end() && (text_[at_] == 'e' || text_[at_] == 'E')) {
    integer = false;
    ++at_;
    if (!at_end() && (text_[at_] == '+' || text_[at_] == '-')) ++at_;
    if (!skip_digits()) return false;
  }
  const char* const first = text_.data() + start;
  const char* const last = text_.data() + at_;
  if (integer && !negative && std::from_chars(first, last, out.positive).ec == std::errc()) return true;
  if (integer && negative && std::from_chars(first, last, out.negative).ec == std::errc() && out.negative != 0) {
    out.kind = Number::Kind::negative;
    return true;
  }
  out.kind = Number::Kind::floating;
  // from_chars leaves the value alone for both overflow and underflow; only the first is an error.
  out.floating = 0.0;
  const auto result = std::from_chars(first, last, out.floating);
  const std::string_view token(first, static_cast<std::size_t>(last - first));
  if (result.ec == std::errc::result_out_of_range && token.find("e-") == token.npos && token.find("E-") == token.npos) {
    return fail_syntax_here("number out of range"), false;
  }
  return true;
}

}  // namespace refserver
