#include "exporters/metrics/histogram_buckets.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <functional>
#include <utility>

namespace exporters {

std::vector<double> tgi_duration_edges() {
  std::vector<double> edges;
  double edge = 0.0001;
  for (int k = 1; k <= 35; ++k) edges.push_back(edge *= 1.5);
  return edges;
}

std::vector<double> fine_duration_edges() {
  std::vector<double> edges;
  for (int k = 0; k <= 90; ++k) edges.push_back(0.0001 * std::exp2(k / 4.0));
  return edges;
}

HistogramBuckets::HistogramBuckets(std::vector<double> edges) : edges_(std::move(edges)), counts_(edges_.size() + 1) {
  const auto is_finite = [](double edge) { return std::isfinite(edge); };
  assert(std::all_of(edges_.begin(), edges_.end(), is_finite));
  assert(std::adjacent_find(edges_.begin(), edges_.end(), std::greater_equal<>()) == edges_.end());
}

void HistogramBuckets::observe(double value) noexcept {
  if (std::isnan(value)) return;
  const auto bucket = std::lower_bound(edges_.begin(), edges_.end(), value) - edges_.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

HistogramSnapshot HistogramBuckets::snapshot() const {
  HistogramSnapshot now{edges_, {}, sum_.load(std::memory_order_relaxed)};
  now.counts.reserve(counts_.size());
  for (const auto& count : counts_) now.counts.push_back(count.load(std::memory_order_relaxed));
  return now;
}

}  // namespace exporters
