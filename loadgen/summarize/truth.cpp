// Pairs, exact percentiles of both sides, and the error of each pair.
#include "loadgen/summarize/truth.hpp"

#include <algorithm>
#include <cstdlib>

#include "exporters/metrics/distribution.hpp"

namespace loadgen {
namespace {

using Times = std::vector<std::int64_t>;

double ms(std::int64_t ns) {
  return static_cast<double>(ns) * 1e-6;
}

/// Nearest rank, the rule of all percentiles here.
std::int64_t at_quantile(const Times& sorted, double quantile) {
  return sorted[exporters::HdrHistogram::rank_at_quantile(quantile, sorted.size()) - 1];
}

struct NamedQuantile {
  const char* name;
  double quantile;
};
constexpr NamedQuantile quantiles[] = {{"p50", 0.5},  {"p90", 0.9},     {"p95", 0.95},
                                       {"p99", 0.99}, {"p99_9", 0.999}, {"max", 1}};

TruthMetric compare_times(const char* name, Times measured, Times truth) {
  TruthMetric metric;
  metric.metric = name;
  metric.count = measured.size();
  if (measured.empty()) return metric;
  Times errors;
  for (std::size_t i = 0; i < measured.size(); ++i) errors.push_back(std::abs(measured[i] - truth[i]));
  for (Times* times : {&measured, &truth, &errors}) std::sort(times->begin(), times->end());
  for (const auto& [statistic, quantile] : quantiles) {
    if (measured.size() < exporters::percentile_floor(quantile)) continue;
    metric.rows.push_back({statistic, ms(at_quantile(measured, quantile)), ms(at_quantile(truth, quantile))});
  }
  metric.error_p50_ms = ms(at_quantile(errors, 0.5));
  metric.error_p99_ms = ms(at_quantile(errors, 0.99));
  metric.error_max_ms = ms(errors.back());
  return metric;
}

}  // namespace

void TruthMatcher::add_measured(const RequestRow& row) {
  if (row.record.phase != Phase::measure || row.record.outcome != Outcome::ok) return;
  const RequestMetrics& m = row.metrics;
  measured_[row.record.index] = {m[Metric::ttft], m[Metric::tpot], m[Metric::e2e]};
}

void TruthMatcher::add_true(std::uint64_t index, const RequestTimes& times) {
  const auto measured = measured_.find(index);
  if (measured == measured_.end()) {
    ++missing_in_run_;
    return;
  }
  matched_.try_emplace(index, Pair{measured->second, times});
}

TruthComparison TruthMatcher::compare() const {
  TruthComparison comparison;
  comparison.matched = matched_.size();
  comparison.missing_in_truth = measured_.size() - matched_.size();
  comparison.missing_in_run = missing_in_run_;
  constexpr std::pair<const char*, std::optional<std::int64_t> RequestTimes::*> metrics[] = {
      {"ttft", &RequestTimes::ttft}, {"tpot", &RequestTimes::tpot}, {"e2e", &RequestTimes::e2e}};
  for (const auto& [name, time] : metrics) {
    Times measured, truth;
    for (const auto& [index, pair] : matched_) {
      if (!(pair.measured.*time) || !(pair.truth.*time)) continue;
      measured.push_back(*(pair.measured.*time));
      truth.push_back(*(pair.truth.*time));
    }
    comparison.metrics.push_back(compare_times(name, std::move(measured), std::move(truth)));
  }
  return comparison;
}

}  // namespace loadgen
