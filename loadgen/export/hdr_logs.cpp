#include "loadgen/export/hdr_logs.hpp"

#include <algorithm>

#include "exporters/hdr_log.hpp"

namespace loadgen {
namespace {

exporters::HdrLogInterval position(const RunFacts& facts, const Interval& interval) {
  const std::int64_t start_ms = (interval.begin_ns - facts.mono_start_ns) / 1'000'000;
  const std::int64_t end_ms = (interval.end_ns - facts.mono_start_ns) / 1'000'000;
  return {std::max<std::int64_t>(start_ms, 0), std::max<std::int64_t>(end_ms - start_ms, 0)};
}

exporters::HdrHistogram sum_over_entries(const Interval& interval, std::size_t metric) {
  exporters::HdrHistogram sum;
  for (const EntryTally& entry : interval.entries) sum.add(entry.latency[metric].histogram());
  return sum;
}

void append_line(exporters::Batch& batch, std::string_view tag, exporters::HdrLogInterval position,
                 const exporters::HdrHistogram& histogram) {
  exporters::append_hdr_log_line(batch.bytes, tag, position, histogram);
  batch.end_record();
}

}  // namespace

std::string hdr_logs_header(const RunFacts& facts) {
  return exporters::hdr_log_header("plumbline loadgen " PLUMBLINE_VERSION ", run " + facts.run_id, facts.wall_start_ms);
}

void append_run_hlog(exporters::Batch& batch, const RunFacts& facts, const Interval& interval) {
  const auto at = position(facts, interval);
  append_line(batch, "", at, sum_over_entries(interval, static_cast<std::size_t>(Metric::e2e)));
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    const auto sum = sum_over_entries(interval, metric);
    if (sum.count() > 0) append_line(batch, metric_labels[metric], at, sum);
  }
}

void append_mix_hlog(exporters::Batch& batch, const Scenario& scenario, const RunFacts& facts,
                     const Interval& interval) {
  const auto at = position(facts, interval);
  append_line(batch, "", at, sum_over_entries(interval, static_cast<std::size_t>(Metric::e2e)));
  for (std::size_t i = 0; i < interval.entries.size(); ++i) {
    for (std::size_t metric = 0; metric < metric_count; ++metric) {
      const auto& histogram = interval.entries[i].latency[metric].histogram();
      if (histogram.count() == 0) continue;
      append_line(batch, scenario.mix.at(i).name + ":" + std::string(metric_labels[metric]), at, histogram);
    }
  }
}

}  // namespace loadgen
