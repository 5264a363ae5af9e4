// NAME(ARGUMENT,...) with an optional constant before it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "refserver/checkpoint/mapped_file.hpp"
#include "refserver/duration.hpp"
#include "refserver/engine/distribution.hpp"

namespace refserver {
namespace {

constexpr std::size_t kMostValues = 1'000'000;
constexpr std::size_t kMostFileBytes = 16U * 1024 * 1024;
constexpr std::string_view kSpellings =
    "20ms, uniform(10ms,30ms), exp(20ms), normal(20ms,5ms), lognormal(20ms,0.5), gamma(20ms,0.5), "
    "pareto(5ms,1.5,2s), bimodal(10ms,200ms,0.05), list(10ms,12ms), file(gaps.txt), 5ms+exp(20ms)";

std::string_view trimmed(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r") - from + 1);
}

/// For messages: what a hostile text may bring along stays out of the terminal.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, 60));
  std::ranges::replace_if(
      out, [](char c) { return c < 0x20 || c > 0x7E; }, '?');
  return out;
}

/// The arguments of one call; the first failure sticks and everything after it reads as 0.
class Arguments {
 public:
  Arguments(std::string_view name, std::string_view text) : name_(name) {
    while (true) {
      const std::size_t comma = text.find(',');
      parts_.push_back(trimmed(text.substr(0, comma)));
      if (comma == std::string_view::npos || parts_.size() > kMostValues) break;
      text.remove_prefix(comma + 1);
    }
  }

  std::size_t size() const { return parts_.size(); }
  const std::string& error() const { return error_; }
  void fail(std::string text) {
    if (error_.empty()) error_ = std::move(text);
  }

  void expect(std::size_t count, std::string_view what) {
    if (parts_.size() != count) fail(fmt::format("{} takes {}", name_, what));
  }

  double time(std::size_t i) {
    if (!error_.empty()) return 0;
    const auto value = parse_duration(parts_[i]);
    if (!value) fail(fmt::format("'{}' in {} is not a duration such as 20ms (at most 1h)", shown(parts_[i]), name_));
    return value ? static_cast<double>(value->count()) : 0;
  }

  double number(std::size_t i, double low, double high, std::string_view what) {
    if (!error_.empty()) return 0;
    double value = 0;
    const std::string_view text = parts_[i];
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (ec != std::errc() || end != text.data() + text.size() || !(value >= low && value <= high)) {
      fail(fmt::format("'{}' in {}: the {} is a number from {} to {}", shown(text), name_, what, low, high));
      return 0;
    }
    return value;
  }

 private:
  std::string_view name_;
  std::vector<std::string_view> parts_;
  std::string error_;
};

using Shape = Distribution::Shape;

Shape read_uniform(Arguments& a) {
  a.expect(2, "two durations, from and to");
  UniformTime t{a.time(0), a.time(1)};
  if (t.low > t.high) a.fail("uniform: the first duration is longer than the second");
  return t;
}

Shape read_exponential(Arguments& a) {
  a.expect(1, "one duration, the mean");
  return ExponentialTime{a.time(0)};
}

Shape read_normal(Arguments& a) {
  a.expect(2, "two durations, mean and standard deviation");
  return NormalTime{a.time(0), a.time(1)};
}

Shape read_lognormal(Arguments& a) {
  a.expect(2, "a duration and a number, median and sigma");
  return LognormalTime{a.time(0), a.number(1, 0, 5, "sigma")};
}

Shape read_gamma(Arguments& a) {
  a.expect(2, "a duration and a number, mean and shape");
  return GammaTime{a.time(0), a.number(1, 0.05, 1000, "shape")};
}

Shape read_pareto(Arguments& a) {
  a.expect(3, "a duration, a number and a duration: least, alpha and cap");
  ParetoTime t{a.time(0), a.number(1, 0.1, 100, "alpha"), a.time(2)};
  if (!(t.least > 0)) a.fail("pareto: the least value is 0; it must be longer");
  if (t.cap < t.least) a.fail("pareto: the cap is shorter than the least value");
  return t;
}

Shape read_bimodal(Arguments& a) {
  a.expect(3, "two durations and a number, the share of the second");
  const BimodalTime t{a.time(0), a.time(1), a.number(2, 0, 1, "share")};
  if (t.low <= t.high) return t;
  return BimodalTime{t.high, t.low, 1 - t.high_share};
}

Shape read_list(Arguments& a) {
  EmpiricalTime t;
  if (a.size() > kMostValues) a.fail(fmt::format("list has more than {} values", kMostValues));
  for (std::size_t i = 0; i < a.size() && a.error().empty(); ++i) t.values.push_back(a.time(i));
  std::ranges::sort(t.values);
  return t;
}

struct Reader {
  std::string_view name;
  Shape (*read)(Arguments&);
};

constexpr Reader kReaders[] = {
    {"uniform", read_uniform}, {"exp", read_exponential}, {"normal", read_normal},   {"lognormal", read_lognormal},
    {"gamma", read_gamma},     {"pareto", read_pareto},   {"bimodal", read_bimodal}, {"list", read_list},
};

Result<Shape, std::string> read_file(const std::string& path) {
  const auto file = read_small_file(path, kMostFileBytes);
  if (file.has_error()) return file.error().message();
  EmpiricalTime t;
  std::string_view rest = *file;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string_view text = trimmed(line.substr(0, line.find('#')));
    if (text.empty()) continue;
    const auto value = parse_duration(text);
    if (!value) {
      return fmt::format("{}:{}: '{}' is not a duration such as 20ms (at most 1h)", shown(path), number, shown(text));
    }
    t.values.push_back(static_cast<double>(value->count()));
  }
  if (t.values.empty()) return fmt::format("{} has no durations; it needs one per line", shown(path));
  std::ranges::sort(t.values);
  return Shape(std::move(t));
}

Result<Shape, std::string> read_shape(std::string_view text) {
  if (const auto constant = parse_duration(text)) return Shape(ConstantTime{static_cast<double>(constant->count())});
  const std::size_t open = text.find('(');
  if (open == std::string_view::npos || !text.ends_with(')')) {
    return fmt::format("'{}' is not a distribution such as {}", shown(text), kSpellings);
  }
  const std::string_view name = trimmed(text.substr(0, open));
  const std::string_view inside = text.substr(open + 1, text.size() - open - 2);
  if (name == "file") return read_file(std::string(trimmed(inside)));
  for (const Reader& reader : kReaders) {
    if (reader.name != name) continue;
    Arguments arguments(name, inside);
    Shape shape = reader.read(arguments);
    if (!arguments.error().empty()) return arguments.error();
    return shape;
  }
  return fmt::format("'{}' is not a distribution; there are {}", shown(name), kSpellings);
}

}  // namespace

Result<Distribution, std::string> parse_distribution(std::string_view text) {
  text = trimmed(text);
  std::chrono::nanoseconds offset{0};
  const std::size_t plus = text.find('+');
  if (plus < text.find('(')) {
    const auto constant = parse_duration(trimmed(text.substr(0, plus)));
    if (!constant) {
      return fmt::format("'{}' before '+' is not a duration such as 5ms", shown(text.substr(0, plus)));
    }
    offset = *constant;
    text = trimmed(text.substr(plus + 1));
  }
  auto shape = read_shape(text);
  if (shape.has_error()) return shape.error();
  return Distribution(std::move(*shape), offset);
}

}  // namespace refserver
