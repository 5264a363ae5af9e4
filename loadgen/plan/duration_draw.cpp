// Spelling and drawing of durations.
#include "loadgen/plan/duration_draw.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "loadgen/plan/draw_call.hpp"
#include "loadgen/plan/units.hpp"

namespace loadgen {
namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using Kind = DurationDraw::Kind;

constexpr nanoseconds longest_mean = 1h;
constexpr nanoseconds longest_draw = 24h;
constexpr const char* how =
    "must be a duration up to 1h, such as 2s, or uniform(1s, 3s), exp(2s), gamma(2s, 0.5), lognormal(2s, 1.5): mean "
    "and coefficient of variation up to 100";

std::optional<nanoseconds> duration_in(std::string_view text) {
  const auto parsed = parse_duration(without_blanks(text));
  if (!parsed || *parsed > longest_mean) return std::nullopt;
  return *parsed;
}

std::optional<DurationDraw> drawn_by(const DrawCall& call) {
  const auto first = duration_in(call.arguments.front());
  if (!first) return std::nullopt;
  if (call.name == "exp" && call.arguments.size() == 1) return DurationDraw{Kind::exponential, *first, {}, 0};
  if (call.arguments.size() != 2) return std::nullopt;
  if (call.name == "uniform") {
    const auto upper = duration_in(call.arguments[1]);
    if (!upper || *upper < *first) return std::nullopt;
    return DurationDraw{Kind::uniform, *first, *upper, 0};
  }
  const auto cv = cv_in(call.arguments[1]);
  if (!cv) return std::nullopt;
  if (call.name == "gamma") return DurationDraw{Kind::gamma, *first, {}, *cv};
  if (call.name == "lognormal") return DurationDraw{Kind::lognormal, *first, {}, *cv};
  return std::nullopt;
}

double factor_of(const DurationDraw& draw, KeyedStream& stream) {
  switch (draw.kind) {
    case Kind::exponential:
      return stream.exponential();
    case Kind::gamma:
      return stream.gamma(1 / (draw.cv * draw.cv));
    case Kind::lognormal: {
      const double variance = std::log(1 + draw.cv * draw.cv);
      return std::exp(std::sqrt(variance) * stream.normal() - variance / 2);
    }
    case Kind::constant:
    case Kind::uniform:
      break;
  }
  return 1;
}

}  // namespace

Result<DurationDraw, std::string> parse_duration_draw(std::string_view text) {
  text = without_blanks(text);
  if (const auto constant = duration_in(text)) return DurationDraw{Kind::constant, *constant, {}, 0};
  const auto call = text.empty() ? std::nullopt : draw_call_in(text);
  const auto draw = call ? drawn_by(*call) : std::nullopt;
  if (draw) return *draw;
  return {boost::system::in_place_error, how};
}

std::string draw_text(const DurationDraw& draw) {
  const std::string mean = duration_text(draw.mean);
  switch (draw.kind) {
    case Kind::constant:
      return mean;
    case Kind::uniform:
      return fmt::format("uniform({}, {})", mean, duration_text(draw.upper));
    case Kind::exponential:
      return fmt::format("exp({})", mean);
    case Kind::gamma:
      return fmt::format("gamma({}, {:g})", mean, draw.cv);
    case Kind::lognormal:
      return fmt::format("lognormal({}, {:g})", mean, draw.cv);
  }
  return mean;
}

nanoseconds drawn(const DurationDraw& draw, std::uint64_t seed, Draw purpose, std::uint64_t index) {
  if (draw.kind == Kind::constant) return draw.mean;
  KeyedStream stream(seed, purpose, index);
  if (draw.kind == Kind::uniform) {
    const auto width = static_cast<double>((draw.upper - draw.mean).count());
    return draw.mean + nanoseconds(std::llround(width * stream.above_zero()));
  }
  const double ns = static_cast<double>(draw.mean.count()) * factor_of(draw, stream);
  return nanoseconds(std::llround(std::min(ns, static_cast<double>(longest_draw.count()))));
}

nanoseconds mean_of(const DurationDraw& draw) noexcept {
  return draw.kind == Kind::uniform ? (draw.mean + draw.upper) / 2 : draw.mean;
}

}  // namespace loadgen
