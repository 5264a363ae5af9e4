// abs, int, float and round.
#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "refserver/chat/jinja/arguments.hpp"
#include "refserver/chat/jinja/builtins.hpp"
#include "refserver/chat/jinja/failure.hpp"
#include "refserver/chat/jinja/interpreter.hpp"
#include "refserver/chat/jinja/operators.hpp"
#include "refserver/chat/jinja/text.hpp"

namespace refserver::jinja {
namespace {

Value filter_abs(Interpreter&, const Value& subject, Arguments& arguments) {
  bind_none("abs", arguments);
  if (subject.is(Kind::real)) return Value(std::fabs(subject.real()));
  if (!subject.is_number()) fail(fmt::format("bad operand type for abs(): '{}'", type_name(subject)));
  return subject.integer() < 0 ? negate(subject) : Value(subject.integer());
}

/// Takes out single underscores between digits; false where there is another one.
bool drop_underscores(std::string& digits) {
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (digits[i] != '_') continue;
    const auto is_digit = [&](std::size_t at) {
      return at < digits.size() && std::isalnum(static_cast<unsigned char>(digits[at])) != 0;
    };
    if (i == 0 || !is_digit(i - 1) || !is_digit(i + 1)) return false;
  }
  std::erase(digits, '_');
  return true;
}

/// int(text, base) of Python, or nothing where that raises ValueError.
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t base) {
  if (base != 0 && (base < 2 || base > 36)) return std::nullopt;
  std::string digits(strip(text, Sides::both));
  const bool is_negative = digits.starts_with('-');
  if (is_negative || digits.starts_with('+')) digits.erase(0, 1);
  const char mark = digits.size() > 1 && digits[0] == '0' ? static_cast<char>(digits[1] | 32) : '\0';
  const int marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
  if (marked != 0 && (base == 0 || base == marked)) {
    digits.erase(0, digits.size() > 2 && digits[2] == '_' ? 3 : 2);
    base = marked;
  } else if (base == 0) {
    base = 10;
    if (digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of("0_") != std::string::npos)
      return std::nullopt;
  }
  if (digits.empty() || !drop_underscores(digits) || digits[0] == '-' || digits[0] == '+') return std::nullopt;
  if (is_negative) digits.insert(digits.begin(), '-');
  std::int64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, static_cast<int>(base));
  if (error == std::errc::result_out_of_range) fail("integers beyond 64 bits are not supported");
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// float(text) of Python, or nothing where that raises ValueError.
std::optional<double> parse_real(std::string_view text) {
  std::string digits(strip(text, Sides::both));
  if (!drop_underscores(digits) || digits.empty()) return std::nullopt;
  const std::string lower = to_lower(digits);
  const std::string_view bare = std::string_view(lower).substr(lower[0] == '-' || lower[0] == '+' ? 1 : 0);
  const bool is_word = bare == "inf" || bare == "infinity" || bare == "nan";
  if (!is_word && bare.find_first_not_of("0123456789.e+-") != std::string_view::npos) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  if (end != digits.c_str() + digits.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> truncate(double value) {
  if (std::isnan(value)) return std::nullopt;
  if (std::isinf(value)) return std::nullopt;
  if (value >= 0x1p63 || value < -0x1p63) fail("integers beyond 64 bits are not supported");
  return static_cast<std::int64_t>(value);
}

Value filter_int(Interpreter&, const Value& subject, Arguments& arguments) {
  const auto given = bind("int", arguments, {"default", "base"});
  require_defined(subject);
  const Value otherwise = given[0].is(Kind::missing) ? Value(std::int64_t{0}) : given[0];
  if (subject.is(Kind::real) && std::isinf(subject.real())) fail("cannot convert float infinity to integer");
  std::optional<std::int64_t> value;
  if (subject.is(Kind::real)) {
    value = truncate(subject.real());
  } else if (subject.is_number()) {
    value = subject.integer();
  } else if (subject.is(Kind::text)) {
    value = parse_integer(subject.bytes(), as_integer_or(given[1], 10));
    const auto real = value ? std::nullopt : parse_real(subject.bytes());
    if (real) value = truncate(*real);
  }
  return value ? Value(*value) : otherwise;
}

Value filter_float(Interpreter&, const Value& subject, Arguments& arguments) {
  const auto given = bind("float", arguments, {"default"});
  require_defined(subject);
  if (subject.is(Kind::real)) return subject;
  if (subject.is_number()) return Value(static_cast<double>(subject.integer()));
  const auto value = subject.is(Kind::text) ? parse_real(subject.bytes()) : std::nullopt;
  return value ? Value(*value) : given[0].is(Kind::missing) ? Value(0.0) : given[0];
}

/// To `precision` places after the point, halves to even, as exact as the float is.
double round_real(double value, std::int64_t precision) {
  if (!std::isfinite(value) || precision > 22) return value;
  return std::strtod(fmt::format("{:.{}f}", value, precision).c_str(), nullptr);
}

Value filter_round(Interpreter&, const Value& subject, Arguments& arguments) {
  const auto given = bind("round", arguments, {"precision", "method"});
  const std::int64_t precision = as_integer_or(given[0], 0);
  const std::string method = given[1].is(Kind::missing) ? "common" : as_text(given[1], "method");
  if (method != "common" && method != "ceil" && method != "floor") fail("method must be common, ceil or floor");
  require_defined(subject);
  if (!subject.is_number()) fail(fmt::format("type {} doesn't define __round__ method", type_name(subject)));
  if (precision < 0) fail("round to places before the point is not supported");
  if (method == "common") {
    return subject.is(Kind::real) ? Value(round_real(subject.real(), precision)) : Value(subject.integer());
  }
  const double scale = std::pow(10.0, static_cast<double>(precision));
  const double scaled = (subject.is(Kind::real) ? subject.real() : static_cast<double>(subject.integer())) * scale;
  if (!std::isfinite(scaled)) fail("cannot convert float infinity or NaN to integer");
  return Value((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) / scale);
}

constexpr BuiltinRow kRows[] = {
    {"abs", filter_abs},
    {"int", filter_int},
    {"float", filter_float},
    {"round", filter_round},
};

}  // namespace

std::span<const BuiltinRow> number_filters() {
  return kRows;
}

}  // namespace refserver::jinja
