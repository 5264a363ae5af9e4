// Figures of long simulated series, and how sure they are: neighbours in a queue are alike, so certainty comes from
// batches that are long enough not to be.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace refserver {

inline constexpr std::size_t kBatches = 30;
/// Student's t of 29 degrees of freedom, two-sided 99 %.
inline constexpr double kT99 = 2.756386;

/// One figure and its standard error from `kBatches` batches in order of time.
struct Estimate {
  double value = 0;
  double standard_error = 0;

  double half_width_99() const { return kT99 * standard_error; }
};

double mean_of(std::span<const std::int64_t> values);
/// The smallest value that at least a share of p does not exceed; 0 < p < 1, values in order, at least one.
std::int64_t percentile_of(std::span<const std::int64_t> sorted, double p);

/// The mean, or with `p` a percentile, of the whole series. At least `kBatches` values in order of time.
Estimate estimate(std::span<const std::int64_t> series, std::optional<double> p);

}  // namespace refserver
