// Figures of long simulated series, and how sure they are: neighbours in a queue are alike, so certainty comes from
// batches that are long enough not to be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace refserver {

inline constexpr std::size_t kBatches = 30;
/// Student's t of 29 degrees of freedom, two-sided 99 %.
inline constexpr double kT99 = 2.756386;

/// A figure and the range that holds the true one in about 99 % of runs.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;  ///< infinite where the series is too short to say
  /// Of the mean; of a percentile, that of the share of the series that does not exceed it.
  double standard_error = 0;
};

double mean_of(std::span<const std::int64_t> values);
/// The smallest value that at least a share of p does not exceed; 0 < p < 1, values in order, at least one.
std::int64_t percentile_of(std::span<const std::int64_t> sorted, double p);

// Of the whole series, which must have at least `kBatches` values in order of time.
Estimate estimate_mean(std::span<const std::int64_t> series);
/// The range is of the series' own percentiles: it is right for heavy tails and for values that come again and again.
/// `sorted` has the same values in order of size.
Estimate estimate_percentile(std::span<const std::int64_t> series, std::span<const std::int64_t> sorted, double p);

}  // namespace refserver
