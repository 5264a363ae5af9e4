// What a JsonReader says of a body that is wrong, and where it says the fault is.
#include <fmt/format.h>

#include <algorithm>

#include "refserver/api/json_reader.hpp"
#include "refserver/api/json_writer.hpp"

namespace refserver {
namespace {

constexpr std::string_view kMalformed = "Failed to parse the request body as JSON";
constexpr std::string_view kMisshapen = "Failed to deserialize the JSON body into the target type";

}  // namespace

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
  if (next == '-' || (next >= '0' && next <= '9')) {
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

void JsonReader::fail_after(std::string_view reason) {
  if (failed_) return;
  skip_space();
  if (!levels_.empty() && !at_end() && text_[at_] == (levels_.back().is_object ? '}' : ']')) ++at_;
  fail_shape(reason);
}

void JsonReader::fail_unplaced(std::string_view reason) {
  if (failed_) return;
  failed_ = true;
  error_ = {ErrorType::body_shape, fmt::format("{}: {}", kMisshapen, reason)};
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
  const std::string_view intro = type == ErrorType::body_malformed ? kMalformed : kMisshapen;
  error_ = {type, fmt::format("{}: {}{} at line {} column {}", intro, path(), reason, line, position - line_start)};
}

void JsonReader::fail_duplicate(std::string_view name) {
  if (!levels_.empty()) levels_.back().in_member = false;
  fail_shape(fmt::format("duplicate field `{}`", name));
}

}  // namespace refserver
