// A duration that may differ from request to request: which distribution it comes from, how people write it, and the
// draw itself, a pure function of (seed, index).
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "loadgen/plan/keyed_random.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

struct DurationDraw {
  enum class Kind : std::uint8_t { constant, uniform, exponential, gamma, lognormal };
  Kind kind = Kind::constant;
  std::chrono::nanoseconds mean{};   ///< uniform: the smallest
  std::chrono::nanoseconds upper{};  ///< uniform: the largest
  double cv = 0;                     ///< gamma, lognormal: standard deviation / mean, > 0

  /// No time at all, always.
  bool is_zero() const noexcept { return kind == Kind::constant && mean.count() == 0; }
};

/// Reads `2s`, `uniform(1s, 3s)`, `exp(2s)`, `gamma(2s, 0.5)` or `lognormal(2s, 1.5)`: mean and coefficient of
/// variation. Durations up to an hour. The error says how it is written.
Result<DurationDraw, std::string> parse_duration_draw(std::string_view text);

/// As it is written.
std::string draw_text(const DurationDraw& draw);

/// The duration of number `index`, never negative, at most a day.
std::chrono::nanoseconds drawn(const DurationDraw& draw, std::uint64_t seed, Draw purpose, std::uint64_t index);

/// The mean of what is drawn.
std::chrono::nanoseconds mean_of(const DurationDraw& draw) noexcept;

}  // namespace loadgen
