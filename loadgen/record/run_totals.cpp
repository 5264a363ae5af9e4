// One interval more: into the sums, and one point into the series.
#include "loadgen/record/run_totals.hpp"

#include <algorithm>

namespace loadgen {
namespace {

void count_ended(const Interval& interval, SeriesPoint& point) {
  for (const EntryTally& entry : interval.entries) {
    for (const auto& by_outcome : entry.ended) {
      for (std::size_t o = 0; o < outcome_count; ++o) {
        const auto outcome = static_cast<Outcome>(o);
        if (outcome == Outcome::ok) point.ok += by_outcome[o];
        if (is_failure(outcome)) point.failed += by_outcome[o];
      }
    }
  }
}

SeriesPoint series_point(const Interval& interval) {
  SeriesPoint point;
  point.begin_ns = interval.begin_ns;
  point.length_s = static_cast<double>(interval.end_ns - interval.begin_ns) * 1e-9;
  point.phase = interval.phase;
  point.sent = interval.health.sent;
  point.tokens = interval.health.tokens;
  point.in_flight = interval.health.in_flight;
  count_ended(interval, point);
  const auto ttft = over_entries(interval.entries, Metric::ttft);
  const auto tpot = over_entries(interval.entries, Metric::tpot);
  const auto e2e = over_entries(interval.entries, Metric::e2e);
  point.ttft_p50 = ttft.percentile_ms(0.5);
  point.ttft_p99 = ttft.percentile_ms(0.99);
  point.tpot_p50 = tpot.percentile_ms(0.5);
  point.tpot_p99 = tpot.percentile_ms(0.99);
  point.e2e_p50 = e2e.percentile_ms(0.5);
  point.e2e_p99 = e2e.percentile_ms(0.99);
  return point;
}

}  // namespace

void RunTotals::add(const Interval& interval) {
  if (entries.size() < interval.entries.size()) entries.resize(interval.entries.size());
  for (std::size_t i = 0; i < interval.entries.size(); ++i) {
    entries[i].add(interval.entries[i]);
    entries[i].in_flight = interval.entries[i].in_flight;  // a level, not a sum over time
  }
  health.add_distributions(interval.health);
  health.cpu_ns += interval.health.cpu_ns;
  health.wall_ns += interval.health.wall_ns;
  health.in_flight = interval.health.in_flight;
  health.max_in_flight = std::max(health.max_in_flight, interval.health.max_in_flight);
  health.sent += interval.health.sent;
  health.tokens += interval.health.tokens;
  series.push_back(series_point(interval));
}

void RunTotals::settle() {
  for (SeriesPoint& point : series) {
    point.at_s = static_cast<double>(point.begin_ns - facts.window.begin_ns) * 1e-9 + point.length_s / 2;
  }
}

}  // namespace loadgen
