// How high a load is at which time, from its stages: a line of straight pieces. Pure; times are nanoseconds from the
// start of the plan, levels are requests per second or in flight.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

class LevelProfile {
 public:
  /// After the last stage its level stays. At least one stage.
  explicit LevelProfile(const std::vector<Stage>& stages);

  double level_at(std::int64_t at_ns) const noexcept;
  double highest() const noexcept;
  /// End of the last stage.
  std::int64_t length_ns() const noexcept { return pieces_.back().begin_ns; }
  bool is_level(std::int64_t from_ns, std::int64_t to_ns) const noexcept;

  /// The first instant from `from_ns` on at which the level is above `threshold`; nothing if it never is again.
  std::optional<std::int64_t> next_above(double threshold, std::int64_t from_ns) const noexcept;

  /// Level times seconds from the start to `at_ns`: of a rate, the requests expected by then.
  double area_at(std::int64_t at_ns) const noexcept;
  /// The inverse: the instant at which the area reaches `area` (exact for straight pieces); nothing if it never does.
  std::optional<std::int64_t> time_of_area(double area) const noexcept;

 private:
  /// The last piece has no end and no slope.
  struct Piece {
    std::int64_t begin_ns = 0;
    double level = 0;        ///< at its begin
    double slope = 0;        ///< per second
    double area_before = 0;  ///< of the pieces before it
  };
  const Piece& piece_at(std::int64_t at_ns) const noexcept;

  std::vector<Piece> pieces_;
};

}  // namespace loadgen
