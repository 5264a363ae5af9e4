// Spelling and drawing of lengths.
#include "loadgen/plan/length_draw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "loadgen/plan/draw_call.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

using Kind = LengthDraw::Kind;
using Bins = std::vector<LengthDraw::Bin>;

constexpr std::size_t max_bins = 100'000;
constexpr const char* how =
    "must be a whole number from 1 to 1000000, or uniform(16, 256), normal(200, 0.3), lognormal(200, 1.2): mean and "
    "coefficient of variation up to 100, and a largest length where wanted, as in lognormal(200, 1.2, 4096); or "
    "histogram(FILE)";

std::optional<std::uint32_t> length_in(std::string_view text) {
  text = without_blanks(text);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value >= 1 && value <= longest_length ? std::optional(value) : std::nullopt;
}

std::optional<LengthDraw> drawn_by(const DrawCall& call) {
  LengthDraw draw;
  if (call.name == "histogram") {
    draw.kind = Kind::histogram;
    draw.file = std::string(without_blanks(call.arguments[0]));
    return call.arguments.size() == 1 && !draw.file.empty() ? std::optional(draw) : std::nullopt;
  }
  const auto first = length_in(call.arguments[0]);
  if (!first || call.arguments.size() < 2 || call.arguments.size() > 3) return std::nullopt;
  draw.mean = *first;
  if (call.name == "uniform") {
    const auto largest = length_in(call.arguments[1]);
    if (call.arguments.size() != 2 || !largest || *largest < draw.mean) return std::nullopt;
    draw.most = *largest;
    return draw;
  }
  if (call.name != "normal" && call.name != "lognormal") return std::nullopt;
  draw.kind = call.name == "normal" ? Kind::normal : Kind::lognormal;
  const auto cv = cv_in(call.arguments[1]);
  const auto most = call.arguments.size() == 3 ? length_in(call.arguments[2]) : longest_length;
  if (!cv || !most || *most < draw.mean) return std::nullopt;
  draw.cv = *cv;
  draw.most = *most;
  return draw;
}

/// `TOKENS WEIGHT`
std::optional<LengthDraw::Bin> bin_in(std::string_view line) {
  const std::size_t end = line.find_first_of(" \t,");
  if (end == std::string_view::npos) return std::nullopt;
  const auto tokens = length_in(line.substr(0, end));
  const std::size_t begin = line.find_first_not_of(" \t,", end);
  if (!tokens || begin == std::string_view::npos) return std::nullopt;
  std::string_view rest = line.substr(begin);
  const auto weight = take_number(rest);
  if (!weight || !without_blanks(rest).empty() || !(*weight >= 0) || *weight > 1e15) return std::nullopt;
  return LengthDraw::Bin{*tokens, *weight};
}

/// Weights to shares of all up to each.
bool accumulate(Bins& bins) {
  std::erase_if(bins, [](const auto& bin) { return bin.cumulative == 0; });
  if (bins.empty()) return false;
  std::sort(bins.begin(), bins.end(), [](const auto& a, const auto& b) { return a.tokens < b.tokens; });
  double total = 0;
  for (auto& bin : bins) bin.cumulative = total += bin.cumulative;
  for (auto& bin : bins) bin.cumulative /= total;
  bins.back().cumulative = 1;  // rounding must not leave a gap above the last one
  return true;
}

double value_of(const LengthDraw& draw, KeyedStream& stream) noexcept {
  const double mean = draw.mean;
  if (draw.kind == Kind::normal) return mean * (1 + draw.cv * stream.normal());
  const double variance = std::log(1 + draw.cv * draw.cv);
  return mean * std::exp(std::sqrt(variance) * stream.normal() - variance / 2);
}

}  // namespace

LengthDraw fixed_length(std::uint32_t tokens) {
  LengthDraw draw;
  draw.mean = draw.most = tokens;
  return draw;
}

Result<LengthDraw, std::string> parse_length_draw(std::string_view text) {
  text = without_blanks(text);
  const auto call = text.empty() ? std::nullopt : draw_call_in(text);
  auto draw = call ? drawn_by(*call) : std::nullopt;
  if (draw) return std::move(*draw);
  return {boost::system::in_place_error, how};
}

Result<Bins, std::string> parse_length_histogram(std::string_view text) {
  const auto refuse = [](std::string why) {
    return Result<Bins, std::string>(boost::system::in_place_error, std::move(why));
  };
  Bins bins;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    line = without_blanks(line);
    if (line.empty() || line.front() == '#') continue;
    const auto bin = bin_in(line);
    if (!bin)
      return refuse(
          fmt::format("must have 'TOKENS WEIGHT' in line {}, as 128 0.25: tokens from 1 to {}, a weight of 0 "
                      "or more",
                      number, longest_length));
    if (bins.size() == max_bins) return refuse(fmt::format("has more than {} lengths", max_bins));
    bins.push_back(*bin);
  }
  if (!accumulate(bins)) return refuse("has no length with a weight above 0");
  return bins;
}

std::string draw_text(const LengthDraw& draw) {
  const std::string limit = draw.most == longest_length ? "" : fmt::format(", {}", draw.most);
  switch (draw.kind) {
    case Kind::uniform:
      return draw.mean == draw.most ? std::to_string(draw.mean) : fmt::format("uniform({}, {})", draw.mean, draw.most);
    case Kind::normal:
      return fmt::format("normal({}, {:g}{})", draw.mean, draw.cv, limit);
    case Kind::lognormal:
      return fmt::format("lognormal({}, {:g}{})", draw.mean, draw.cv, limit);
    case Kind::histogram:
      break;
  }
  return fmt::format("histogram({})", draw.file);
}

std::uint32_t drawn(const LengthDraw& draw, std::uint64_t seed, Draw purpose, std::uint64_t index) noexcept {
  KeyedStream stream(seed, purpose, index);
  if (draw.kind == Kind::uniform) {
    const std::uint64_t width = std::uint64_t{draw.most} - draw.mean + 1;
    return draw.mean + static_cast<std::uint32_t>(((stream.bits() >> 32) * width) >> 32);
  }
  if (draw.kind == Kind::histogram) {
    const double share = stream.above_zero();
    const auto bin = std::lower_bound(draw.bins.begin(), draw.bins.end(), share,
                                      [](const auto& b, double wanted) { return b.cumulative < wanted; });
    return bin->tokens;
  }
  return static_cast<std::uint32_t>(std::llround(std::clamp<double>(value_of(draw, stream), 1, draw.most)));
}

std::uint32_t mean_of(const LengthDraw& draw) noexcept {
  if (draw.kind == Kind::uniform) return draw.mean + (draw.most - draw.mean) / 2;
  if (draw.kind != Kind::histogram) return draw.mean;
  double sum = 0, before = 0;
  for (const auto& bin : draw.bins) {
    sum += bin.tokens * (bin.cumulative - before);
    before = bin.cumulative;
  }
  return std::max(1U, static_cast<std::uint32_t>(std::llround(sum)));
}

std::uint32_t smallest_of(const LengthDraw& draw) noexcept {
  if (draw.kind == Kind::uniform) return draw.mean;
  return draw.kind == Kind::histogram ? draw.bins.front().tokens : 1;
}

}  // namespace loadgen
