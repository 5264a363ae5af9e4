// Batch means: the figure of each batch, and how much these scatter.
#include "refserver/simulate/statistics.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace refserver {
namespace {

std::size_t rank_of(std::size_t count, double p) {
  // The share is a decimal: without the slack 0.9 of 10 values would be the tenth.
  const double rank = std::ceil(p * static_cast<double>(count) - 1e-9);
  return std::clamp<std::size_t>(static_cast<std::size_t>(std::max(rank, 1.0)), 1, count) - 1;
}

double figure_of(std::span<const std::int64_t> values, std::optional<double> p) {
  if (!p) return mean_of(values);
  std::vector<std::int64_t> copy(values.begin(), values.end());
  const auto at = copy.begin() + static_cast<std::ptrdiff_t>(rank_of(copy.size(), *p));
  std::ranges::nth_element(copy, at);
  return static_cast<double>(*at);
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

Estimate estimate(std::span<const std::int64_t> series, std::optional<double> p) {
  assert(series.size() >= kBatches);
  const std::size_t length = series.size() / kBatches;
  double sum = 0;
  double squares = 0;
  for (std::size_t i = 0; i < kBatches; ++i) {
    const double figure = figure_of(series.subspan(i * length, length), p);
    sum += figure;
    squares += figure * figure;
  }
  constexpr auto n = static_cast<double>(kBatches);
  const double variance = std::max(0.0, squares - sum * sum / n) / (n - 1);
  return {figure_of(series, p), std::sqrt(variance / n)};
}

}  // namespace refserver
