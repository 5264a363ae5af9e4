// Was the load steady over the window? Slopes of TTFT and of the requests in flight, with a 95 % interval.
#pragma once

#include <optional>
#include <vector>

#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// A straight line through ten slices of the window.
struct Trend {
  double slope_per_s = 0;       ///< least squares
  double half_width_per_s = 0;  ///< of the 95 % t-interval around it
  double mean = 0;              ///< of the slices
  double change = 0;            ///< slope times the length of the window

  bool is_significant() const noexcept;
};

/// Fits a line to ten slice values, `slice_s` seconds apart; `values` has ten elements.
Trend fit_trend(const std::vector<double>& values, double slice_s);

struct Steadiness {
  std::optional<Trend> ttft;         ///< ms; absent when not assessed or when a slice has no first token
  std::optional<Trend> concurrency;  ///< requests in flight; absent when not assessed

  /// TTFT moves: the slope is significant and the change over the window is more than 5 % of the mean and than 1 ms.
  /// Significance alone would call one steady run in twenty unsteady.
  bool ttft_moves() const noexcept;
  /// Requests pile up: significantly rising, by more than 5 % and than twice the noise of a Poisson load.
  bool is_over_saturated() const noexcept;
  /// Requests in flight rise or fall by that much.
  bool concurrency_moves() const noexcept;
};

/// Uses the whole seconds that lie in the window; with fewer than ten nothing is assessed.
Steadiness assess_steadiness(const std::vector<SeriesPoint>& series, const Window& window);

}  // namespace loadgen
