// Durations to and from text.
#include "loadgen/plan/units.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

namespace loadgen {
namespace {

struct Unit {
  std::string_view word;
  std::int64_t ns;
};
constexpr std::array<Unit, 6> units = {{{"h", 3'600'000'000'000},
                                        {"m", 60'000'000'000},
                                        {"s", 1'000'000'000},
                                        {"ms", 1'000'000},
                                        {"us", 1'000},
                                        {"ns", 1}}};
constexpr double longest_ns = 365.0 * 24 * 3600 * 1e9;

constexpr bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::string_view take_unit(std::string_view& text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && !is_digit(text[length]) && text[length] != '.') ++length;
  const std::string_view unit = text.substr(0, length);
  text.remove_prefix(length);
  return unit;
}

}  // namespace

std::optional<double> unit_in_ns(std::string_view unit) noexcept {
  if (unit == "µs" || unit == "μs") unit = "us";  // micro sign and the Greek letter
  for (const Unit& known : units) {
    if (known.word == unit) return static_cast<double>(known.ns);
  }
  return std::nullopt;
}

std::optional<double> take_number(std::string_view& text) noexcept {
  std::size_t length = 0;
  while (length < text.size() && is_digit(text[length])) ++length;
  if (length == 0) return std::nullopt;
  if (length + 1 < text.size() && text[length] == '.' && is_digit(text[length + 1])) {
    ++length;
    while (length < text.size() && is_digit(text[length])) ++length;
  }
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + length, value, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + length) return std::nullopt;
  text.remove_prefix(length);
  return value;
}

Result<std::chrono::nanoseconds, std::string> parse_duration(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fmt::format("must be a duration such as 500ms, 15s or 1m30s, is '{}'{}", text.substr(0, 40), why);
  };
  if (text == "0") return std::chrono::nanoseconds(0);
  if (text.empty()) return wrong("");
  std::string_view rest = text;
  double total_ns = 0;
  double last_unit = std::numeric_limits<double>::infinity();
  while (!rest.empty()) {
    const std::optional<double> number = take_number(rest);
    if (!number) return wrong("");
    const std::optional<double> unit = unit_in_ns(take_unit(rest));
    if (!unit) return wrong(": the unit is one of ns, us, ms, s, m, h");
    if (*unit >= last_unit) return wrong(": units go from large to small, each once");
    last_unit = *unit;
    total_ns += *number * *unit;
    if (total_ns > longest_ns) return wrong(": that is more than a year");
  }
  return std::chrono::nanoseconds(std::llround(total_ns));
}

std::string duration_text(std::chrono::nanoseconds duration) {
  std::int64_t rest = duration.count();
  if (rest == 0) return "0s";
  std::string text = rest < 0 ? "-" : "";
  if (rest < 0) rest = -rest;
  for (const Unit& unit : units) {
    if (rest >= unit.ns) text += fmt::format("{}{}", rest / unit.ns, unit.word);
    rest %= unit.ns;
  }
  return text;
}

}  // namespace loadgen
