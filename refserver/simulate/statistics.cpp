// Batch means: the figure of each batch, and how much these scatter. A percentile's range comes from the share below
// it, which scatters evenly where percentiles themselves do not.
#include "refserver/simulate/statistics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace refserver {
namespace {

std::size_t rank_of(std::size_t count, double p) {
  // The share is a decimal: without the slack 0.9 of 10 values would be the tenth.
  const double rank = std::ceil(p * static_cast<double>(count) - 1e-9);
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::max(rank, 1.0)), 1, count) - 1;
}

/// From the figures of the batches.
template <class Figure>
double standard_error(std::span<const std::int64_t> series, const Figure& figure_of) {
  const std::size_t length = series.size() / kBatches;
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < kBatches; ++i) {
    const double figure = figure_of(series.subspan(i * length, length));
    sum += figure;
    squares += figure * figure;
  }
  constexpr auto n = static_cast<double>(kBatches);
  const double variance = std::max(0.0, squares - sum * sum / n) / (n - 1);
  return std::sqrt(variance / n);
}

}  // namespace

double mean_of(std::span<const std::int64_t> values) {
  double sum = 0;
  for (const std::int64_t value : values) sum += static_cast<double>(value);
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

std::int64_t percentile_of(std::span<const std::int64_t> sorted, double p) {
  assert(!sorted.empty());
  return sorted[rank_of(sorted.size(), p)];
}

Estimate estimate_mean(std::span<const std::int64_t> series) {
  assert(series.size() >= kBatches);
  Estimate out;
  out.value = mean_of(series);
  out.standard_error = standard_error(series, mean_of);
  out.low = out.value - kT99 * out.standard_error;
  out.high = out.value + kT99 * out.standard_error;
  return out;
}

Estimate estimate_percentile(std::span<const std::int64_t> series, std::span<const std::int64_t> sorted, double p) {
  assert(series.size() >= kBatches && sorted.size() == series.size());
  const std::int64_t value = percentile_of(sorted, p);
  Estimate out;
  out.value = static_cast<double>(value);
  out.standard_error = standard_error(series, [value](std::span<const std::int64_t> batch) {
    const auto count = std::ranges::count_if(batch, [value](std::int64_t v) { return v <= value; });
    return static_cast<double>(count) / static_cast<double>(batch.size());
  });
  const double half = kT99 * out.standard_error;
  out.low = p - half > 0 ? static_cast<double>(percentile_of(sorted, p - half)) : static_cast<double>(sorted.front());
  out.high =
      p + half < 1 ? static_cast<double>(percentile_of(sorted, p + half)) : std::numeric_limits<double>::infinity();
  return out;
}

}  // namespace refserver
