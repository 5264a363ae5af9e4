// Each read mirrors one step of the reference reader, since its error positions depend on what was consumed.
#include "refserver/api/json_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMaxDepth = 127;

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

void JsonReader::skip_space() {
  while (!at_end() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) ++at_;
}

char JsonReader::peek() {
  if (failed_) return 0;
  skip_space();
  if (colon_pending_) {
    colon_pending_ = false;
    ++at_;
    skip_space();
  }
  return at_end() ? '\0' : text_[at_];
}

void JsonReader::fail_duplicate() {
  if (!levels_.empty()) levels_.back().in_member = false;
  fail_shape("duplicate field `" + key_ + "`");
}

bool JsonReader::enter(bool is_object) {
  if (levels_.size() >= kMaxDepth) {
    fail_syntax_next("recursion limit exceeded");
    return false;
  }
  ++at_;
  Level& level = levels_.emplace_back();
  level.is_object = is_object;
  return true;
}

bool JsonReader::begin_object(std::string_view expected) {
  if (failed_) return false;
  if (peek() == '{') return enter(true);
  fail_type(expected);
  return false;
}

bool JsonReader::begin_array() {
  if (failed_) return false;
  if (peek() == '[') return enter(false);
  fail_type("a sequence");
  return false;
}

bool JsonReader::next_member(char close, std::string_view eof, std::string_view expected_comma) {
  if (failed_) return false;
  Level& level = levels_.back();
  level.in_member = false;
  const char next = peek();
  if (at_end()) return fail_syntax_next(eof), false;
  if (next == close) {
    ++at_;
    levels_.pop_back();
    return false;
  }
  if (level.has_members) {
    if (next != ',') return fail_syntax_next(expected_comma), false;
    ++at_;
    if (peek() == close) return fail_syntax_next("trailing comma"), false;
    if (at_end()) return fail_syntax_next("EOF while parsing a value"), false;
  }
  level.has_members = true;
  return true;
}

bool JsonReader::next_key() {
  if (!next_member('}', "EOF while parsing an object", "expected `,` or `}`")) return false;
  if (text_[at_] != '"') return fail_syntax_next("key must be a string"), false;
  if (!read_raw_string(key_)) return false;
  levels_.back().key = key_;
  levels_.back().in_member = true;
  const std::size_t after_key = at_;
  if (peek() != ':') {
    fail_syntax_next(at_end() ? "EOF while parsing an object" : "expected `:`");
    return false;
  }
  // The colon is consumed only with the value, so that "duplicate field" points at the end of the name.
  at_ = after_key;
  colon_pending_ = true;
  return true;
}

bool JsonReader::next_element() {
  if (failed_) return false;
  Level& level = levels_.back();
  const std::size_t index = level.has_members ? level.index + 1 : 0;
  if (!next_member(']', "EOF while parsing a list", "expected `,` or `]`")) return false;
  level.index = index;
  level.in_member = true;
  return true;
}

bool JsonReader::read_ident(std::string_view rest) {
  ++at_;
  for (char expected : rest) {
    if (at_end()) return fail_syntax_here("EOF while parsing a value"), false;
    if (text_[at_++] != expected) return fail_syntax_here("expected ident"), false;
  }
  return true;
}

bool JsonReader::try_null() {
  return peek() == 'n' && read_ident("ull");
}

bool JsonReader::read_bool() {
  const char next = peek();
  if (failed_) return false;
  if (next == 't') return read_ident("rue");
  if (next == 'f') return read_ident("alse"), false;
  fail_type("a boolean");
  return false;
}

std::string JsonReader::read_string() {
  std::string out;
  if (peek() == '"') {
    read_raw_string(out);
  } else if (!failed_) {
    fail_type("a string");
  }
  return out;
}

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

std::uint64_t JsonReader::read_unsigned(std::string_view expected, std::uint64_t largest) {
  const char next = peek();
  if (failed_) return 0;
  if (next != '-' && !is_digit(next)) return fail_type(expected), 0;
  Number number;
  if (!read_number(number)) return 0;
  if (number.kind == Number::Kind::positive && number.positive <= largest) return number.positive;
  fail_number(number, number.kind != Number::Kind::floating, expected);
  return 0;
}

std::int32_t JsonReader::read_i32() {
  const char next = peek();
  if (failed_) return 0;
  if (next != '-' && !is_digit(next)) return fail_type("i32"), 0;
  Number number;
  if (!read_number(number)) return 0;
  if (number.kind == Number::Kind::positive && number.positive <= INT32_MAX) {
    return static_cast<std::int32_t>(number.positive);
  }
  if (number.kind == Number::Kind::negative && number.negative >= INT32_MIN) {
    return static_cast<std::int32_t>(number.negative);
  }
  fail_number(number, number.kind != Number::Kind::floating, "i32");
  return 0;
}

float JsonReader::read_f32() {
  const char next = peek();
  if (failed_) return 0;
  if (next != '-' && !is_digit(next)) return fail_type("f32"), 0.F;
  Number number;
  if (!read_number(number)) return 0;
  switch (number.kind) {
    case Number::Kind::positive:
      return static_cast<float>(number.positive);
    case Number::Kind::negative:
      return static_cast<float>(number.negative);
    case Number::Kind::floating:
      break;
  }
  return static_cast<float>(number.floating);
}

void JsonReader::skip_value() {
  const char next = peek();
  if (failed_) return;
  std::string text;
  Number number;
  switch (next) {
    case '{':
      for (bool open = begin_object(""); open && next_key();) skip_value();
      return;
    case '[':
      for (bool open = begin_array(); open && next_element();) skip_value();
      return;
    case '"':
      read_raw_string(text);
      return;
    case 't':
      read_ident("rue");
      return;
    case 'f':
      read_ident("alse");
      return;
    case 'n':
      read_ident("ull");
      return;
    default:
      break;
  }
  if (next == '-' || is_digit(next)) {
    read_number(number);
  } else {
    fail_syntax_next(at_end() ? "EOF while parsing a value" : "expected value");
  }
}

void JsonReader::fail_type(std::string_view expected) {
  const auto invalid = [&](std::string_view found) {
    if (!failed_) fail_shape(fmt::format("invalid type: {}, expected {}", found, expected));
  };
  std::string text;
  Number number;
  const char next = peek();
  switch (next) {
    case '{':
      return invalid("map");
    case '[':
      return invalid("sequence");
    case '"':
      return read_raw_string(text), invalid("string " + quoted_debug(text));
    case 't':
      return read_ident("rue"), invalid("boolean `true`");
    case 'f':
      return read_ident("alse"), invalid("boolean `false`");
    case 'n':
      return read_ident("ull"), invalid("null");
    default:
      break;
  }
  if (next == '-' || is_digit(next)) {
    if (read_number(number)) fail_number(number, false, expected);
    return;
  }
  fail_syntax_next(at_end() ? "EOF while parsing a value" : "expected value");
}

void JsonReader::fail_number(const Number& number, bool is_value, std::string_view expected) {
  const std::string_view what = is_value ? "value" : "type";
  switch (number.kind) {
    case Number::Kind::positive:
      return fail_shape(fmt::format("invalid {}: integer `{}`, expected {}", what, number.positive, expected));
    case Number::Kind::negative:
      return fail_shape(fmt::format("invalid {}: integer `{}`, expected {}", what, number.negative, expected));
    case Number::Kind::floating:
      break;
  }
  std::string text;
  append_f64(number.floating, text);
  fail_shape(fmt::format("invalid {}: floating point `{}`, expected {}", what, text, expected));
}

void JsonReader::fail_syntax_next(std::string_view reason) {
  fail(ErrorType::body_malformed, reason, std::min(text_.size(), at_ + 1));
}

void JsonReader::fail_shape(std::string_view reason) {
  fail(ErrorType::body_shape, reason, at_);
}

std::string JsonReader::path() const {
  std::string out;
  for (const Level& level : levels_) {
    if (!level.in_member) break;
    if (!level.is_object) {
      out += fmt::format("[{}]", level.index);
    } else {
      out += out.empty() ? level.key : "." + level.key;
    }
  }
  return out.empty() ? out : out + ": ";
}

void JsonReader::fail(ErrorType type, std::string_view reason, std::size_t position) {
  if (failed_) return;
  failed_ = true;
  const std::string_view read = text_.substr(0, position);
  const std::size_t newline = read.rfind('\n');
  const std::size_t line_start = newline == std::string_view::npos ? 0 : newline + 1;
  const auto line = 1 + std::count(read.begin(), read.end(), '\n');
  const std::string_view intro = type == ErrorType::body_malformed
                                     ? "Failed to parse the request body as JSON"
                                     : "Failed to deserialize the JSON body into the target type";
  error_ = {type, fmt::format("{}: {}{} at line {} column {}", intro, path(), reason, line, position - line_start)};
}

}  // namespace refserver
