// A number of tokens that may differ from request to request: which distribution it comes from, how people write it,
// and the draw itself, a pure function of (seed, index).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "loadgen/plan/keyed_random.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

inline constexpr std::uint32_t longest_length = 1'000'000;

struct LengthDraw {
  enum class Kind : std::uint8_t { uniform, normal, lognormal, histogram };
  /// A length and the share of all draws that are at most as long.
  struct Bin {
    std::uint32_t tokens = 0;
    double cumulative = 0;
  };
  Kind kind = Kind::uniform;
  std::uint32_t mean = 1;               ///< uniform: the smallest
  std::uint32_t most = longest_length;  ///< nothing longer is drawn; uniform: the largest
  double cv = 0;                        ///< normal, lognormal: standard deviation / mean, > 0
  std::string file = {};                ///< histogram: where it was read, as the scenario names it
  std::vector<Bin> bins = {};           ///< histogram: by length; the last one's share is 1
};

/// Always `tokens`, from 1 to `longest_length`.
LengthDraw fixed_length(std::uint32_t tokens);
inline bool is_fixed(const LengthDraw& draw) noexcept {
  return draw.kind == LengthDraw::Kind::uniform && draw.mean == draw.most;
}

/// Reads `uniform(16, 256)`, `normal(200, 0.3)`, `lognormal(200, 1.2)`, the last two with a largest length as a third
/// argument where wanted, or `histogram(FILE)`, whose bins are left empty. The error says how it is written.
Result<LengthDraw, std::string> parse_length_draw(std::string_view text);

/// Bins from text: a line per length, `TOKENS WEIGHT` (a blank, a tab or a comma between them), empty lines and those
/// that begin with # left out. The error names the line.
Result<std::vector<LengthDraw::Bin>, std::string> parse_length_histogram(std::string_view text);

/// As it is written; a plain number where it is always the same.
std::string draw_text(const LengthDraw& draw);

/// The length of number `index`, from 1 to `most`. What a distribution gives beyond these is the nearest of them.
std::uint32_t drawn(const LengthDraw& draw, std::uint64_t seed, Draw purpose, std::uint64_t index) noexcept;

/// The mean of what the distribution gives, rounded, and the smallest that can be drawn.
std::uint32_t mean_of(const LengthDraw& draw) noexcept;
std::uint32_t smallest_of(const LengthDraw& draw) noexcept;

}  // namespace loadgen
