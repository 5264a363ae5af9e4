#include "loadgen/summarize/steadiness.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace loadgen {
namespace {

constexpr std::size_t slice_count = 10;
constexpr double t_two_sided_95_df8 = 2.306004135;  // Student's t, 97.5 %, slice_count - 2 degrees of freedom
constexpr double least_share = 0.05;                // a smaller change counts as steady, as in the warm-up rule
constexpr double least_ttft_ms = 1.0;

std::vector<SeriesPoint> whole_seconds_in(const std::vector<SeriesPoint>& series, const Window& window) {
  constexpr double tolerance_s = 0.02;  // intervals end when the controller wakes up
  std::vector<SeriesPoint> inside;
  for (const SeriesPoint& point : series) {
    const bool is_whole = std::abs(point.length_s - 1.0) < 0.1;
    const bool begins_inside = point.at_s - point.length_s / 2 >= -tolerance_s;
    const bool ends_inside = point.at_s + point.length_s / 2 <= window.seconds() + tolerance_s;
    if (is_whole && begins_inside && ends_inside) inside.push_back(point);
  }
  return inside;
}

/// Means of ten consecutive groups of `seconds`; nothing when a group has no value.
template <class Value>
std::optional<std::vector<double>> slice_means(const std::vector<SeriesPoint>& seconds, Value value) {
  std::vector<double> means;
  for (std::size_t slice = 0; slice < slice_count; ++slice) {
    double sum = 0;
    double count = 0;
    const std::size_t end = (slice + 1) * seconds.size() / slice_count;
    for (std::size_t i = slice * seconds.size() / slice_count; i < end; ++i) {
      const std::optional<double> x = value(seconds[i]);
      if (!x) continue;
      sum += *x;
      count += 1;
    }
    if (count == 0) return std::nullopt;
    means.push_back(sum / count);
  }
  return means;
}

bool moves(const std::optional<Trend>& trend, double least) noexcept {
  return trend && trend->is_significant() && std::abs(trend->change) > std::max(least_share * trend->mean, least);
}

double poisson_noise(const std::optional<Trend>& trend) noexcept {
  return trend ? 2 * std::sqrt(std::max(trend->mean, 0.0)) : 0;
}

}  // namespace

bool Trend::is_significant() const noexcept {
  return std::abs(slope_per_s) > half_width_per_s;
}

Trend fit_trend(const std::vector<double>& values, double slice_s) {
  assert(values.size() == slice_count && slice_s > 0);
  constexpr auto n = static_cast<double>(slice_count);
  const double middle = (n - 1) / 2 * slice_s;
  Trend trend;
  for (const double y : values) trend.mean += y / n;
  double sxx = 0;
  double sxy = 0;
  for (std::size_t i = 0; i < slice_count; ++i) {
    const double dx = static_cast<double>(i) * slice_s - middle;
    sxx += dx * dx;
    sxy += dx * (values[i] - trend.mean);
  }
  trend.slope_per_s = sxy / sxx;
  double residuals = 0;
  for (std::size_t i = 0; i < slice_count; ++i) {
    const double dx = static_cast<double>(i) * slice_s - middle;
    residuals += std::pow(values[i] - trend.mean - trend.slope_per_s * dx, 2);
  }
  trend.half_width_per_s = t_two_sided_95_df8 * std::sqrt(residuals / (n - 2) / sxx);
  trend.change = trend.slope_per_s * slice_s * n;
  return trend;
}

bool Steadiness::ttft_moves() const noexcept {
  return moves(ttft, least_ttft_ms);
}

bool Steadiness::concurrency_moves() const noexcept {
  return moves(concurrency, poisson_noise(concurrency));
}

bool Steadiness::is_over_saturated() const noexcept {
  return concurrency_moves() && concurrency->slope_per_s > 0;
}

Steadiness assess_steadiness(const std::vector<SeriesPoint>& series, const Window& window) {
  const std::vector<SeriesPoint> seconds = whole_seconds_in(series, window);
  Steadiness result;
  if (seconds.size() < slice_count) return result;
  const double slice_s = static_cast<double>(seconds.size()) / static_cast<double>(slice_count);
  if (const auto ttft = slice_means(seconds, [](const SeriesPoint& p) { return p.ttft_p50; }))
    result.ttft = fit_trend(*ttft, slice_s);
  const auto in_flight = [](const SeriesPoint& p) { return std::optional<double>(p.in_flight); };
  if (const auto concurrency = slice_means(seconds, in_flight)) result.concurrency = fit_trend(*concurrency, slice_s);
  return result;
}

}  // namespace loadgen
