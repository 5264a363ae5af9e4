// Each read mirrors one step of the reference reader, since its error positions depend on what was consumed.
#include "refserver/api/json_reader.hpp"

#include <fmt/format.h>

#include <tuple>

namespace refserver {
namespace {

constexpr std::size_t kMaxDepth = 127;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
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

bool JsonReader::begin_struct(std::string_view name, std::span<const std::string_view> fields, std::size_t required) {
  if (failed_) return false;
  if (peek() != '[') return begin_object(fmt::format("struct {}", name));
  if (!enter(false)) return false;
  Level& level = levels_.back();
  level.name = name;
  level.fields = fields;
  level.required = required;
  return true;
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

bool JsonReader::next_positional() {
  const Level& before = levels_.back();
  const std::size_t given = before.has_members ? before.index + 1 : 0;
  const auto [name, fields, required] = std::tuple(before.name, before.fields, before.required);
  if (given < fields.size()) {
    if (next_element()) {
      key_ = fields[given];
      return true;
    }
    if (!failed_ && given < required) {
      fail_after(fmt::format("invalid length {}, expected struct {} with {} element{}", given, name, fields.size(),
                             fields.size() == 1 ? "" : "s"));
    }
    return false;
  }
  if (next_element()) fail_syntax_here("trailing characters");
  return false;
}

bool JsonReader::next_key() {
  if (failed_) return false;
  if (!levels_.back().fields.empty()) return next_positional();
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

std::string_view JsonReader::read_raw() {
  peek();
  const std::size_t start = at_;
  skip_value();
  return failed_ ? std::string_view() : text_.substr(start, at_ - start);
}

}  // namespace refserver
