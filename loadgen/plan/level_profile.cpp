// Straight pieces: levels, crossings, areas.
#include "loadgen/plan/level_profile.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace loadgen {
namespace {

constexpr double ns_per_s = 1e9;

double seconds(std::int64_t ns) noexcept {
  return static_cast<double>(ns) / ns_per_s;
}

}  // namespace

LevelProfile::LevelProfile(const std::vector<Stage>& stages) {
  assert(!stages.empty());
  std::int64_t begin = 0;
  double before = 0;
  double area = 0;
  for (const Stage& stage : stages) {
    const double length_s = seconds(stage.length.count());
    const bool ramps = stage.shape == Stage::Shape::ramp && length_s > 0;
    const double from = ramps ? before : stage.level;
    pieces_.push_back({begin, from, ramps ? (stage.level - from) / length_s : 0, area});
    area += (from + stage.level) / 2 * length_s;
    begin += stage.length.count();
    before = stage.level;
  }
  pieces_.push_back({begin, before, 0, area});
}

const LevelProfile::Piece& LevelProfile::piece_at(std::int64_t at_ns) const noexcept {
  const auto after = std::upper_bound(pieces_.begin(), pieces_.end(), at_ns,
                                      [](std::int64_t at, const Piece& piece) { return at < piece.begin_ns; });
  return after == pieces_.begin() ? pieces_.front() : *(after - 1);
}

double LevelProfile::level_at(std::int64_t at_ns) const noexcept {
  const Piece& piece = piece_at(at_ns);
  return std::max(0.0, piece.level + piece.slope * seconds(at_ns - piece.begin_ns));
}

double LevelProfile::highest() const noexcept {
  double highest = 0;
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const double length_s = i + 1 < pieces_.size() ? seconds(pieces_[i + 1].begin_ns - pieces_[i].begin_ns) : 0;
    highest = std::max({highest, pieces_[i].level, pieces_[i].level + pieces_[i].slope * length_s});
  }
  return highest;
}

bool LevelProfile::is_level(std::int64_t from_ns, std::int64_t to_ns) const noexcept {
  const double level = level_at(from_ns);
  return std::all_of(pieces_.begin(), pieces_.end(), [&](const Piece& piece) {
    const bool overlaps = piece.begin_ns < to_ns && (&piece == &pieces_.back() || (&piece + 1)->begin_ns > from_ns);
    return !overlaps || (piece.slope == 0 && piece.level == level);
  });
}

std::optional<std::int64_t> LevelProfile::next_above(double threshold, std::int64_t from_ns) const noexcept {
  for (std::size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    const bool is_last = i + 1 == pieces_.size();
    if (!is_last && pieces_[i + 1].begin_ns <= from_ns) continue;
    const std::int64_t at = std::max(from_ns, piece.begin_ns);
    if (piece.level + piece.slope * seconds(at - piece.begin_ns) > threshold) return at;
    if (is_last || piece.slope <= 0) continue;
    const double crossing_ns = std::ceil((threshold - piece.level) / piece.slope * ns_per_s);
    const std::int64_t length = pieces_[i + 1].begin_ns - piece.begin_ns;
    if (crossing_ns < static_cast<double>(length))
      return std::max(at, piece.begin_ns + static_cast<std::int64_t>(crossing_ns));
  }
  return std::nullopt;
}

double LevelProfile::area_at(std::int64_t at_ns) const noexcept {
  const Piece& piece = piece_at(at_ns);
  const double x = seconds(at_ns - piece.begin_ns);
  return piece.area_before + piece.level * x + piece.slope * x * x / 2;
}

std::optional<std::int64_t> LevelProfile::time_of_area(double area) const noexcept {
  std::size_t i = 0;
  while (i + 1 < pieces_.size() && pieces_[i + 1].area_before < area) ++i;
  const Piece& piece = pieces_[i];
  const double rest = area - piece.area_before;
  if (rest <= 0) return piece.begin_ns;
  // level x + slope x^2 / 2 = rest, in the form that cancels for neither sign of the slope.
  const double root = std::sqrt(std::max(0.0, piece.level * piece.level + 2 * piece.slope * rest));
  if (piece.level + root <= 0) return std::nullopt;  // only the last piece can be without any area
  const double x = 2 * rest / (piece.level + root);
  std::int64_t at = piece.begin_ns + std::llround(x * ns_per_s);
  if (i + 1 < pieces_.size()) at = std::min(at, pieces_[i + 1].begin_ns);  // rounding must not leave the piece
  return at;
}

}  // namespace loadgen
