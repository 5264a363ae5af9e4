// Exact running count, mean and spread of a stream of values, mergeable. Knows no unit and keeps no values.
#pragma once

#include <cmath>
#include <cstdint>

namespace exporters {

/// Welford's update, merged by the pairwise rule of Chan, Golub and LeVeque (1979): no cancellation, one pass.
struct Moments {
  std::uint64_t count = 0;
  double mean = 0.0;
  double squares = 0.0;  ///< sum of squared distances from the mean

  void record(double value, std::uint64_t times = 1) noexcept { add(Moments{times, value, 0.0}); }

  void add(const Moments& other) noexcept {
    if (other.count == 0) return;
    const double here = static_cast<double>(count);
    const double there = static_cast<double>(other.count);
    const double distance = other.mean - mean;
    const double share = there / (here + there);
    mean += distance * share;
    squares += other.squares + distance * distance * here * share;
    count += other.count;
  }

  /// Population form (divided by count); 0 when empty.
  double stddev() const noexcept { return count == 0 ? 0.0 : std::sqrt(squares / static_cast<double>(count)); }
};

}  // namespace exporters
