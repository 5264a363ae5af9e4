#include "loadgen/summarize/observed.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace loadgen {
namespace {

constexpr std::size_t most_points = 600;

ObservedMetric nth_metric(std::size_t i) {
  return static_cast<ObservedMetric>(i);
}

std::optional<ObservedStatistic> statistic_of(const SampleSeries& series, ObservedMetric metric, const Window& window) {
  const std::vector<double> values = values_in(series, metric, window);
  if (values.empty()) return std::nullopt;
  ObservedStatistic result;
  result.metric = metric;
  result.count = values.size();
  result.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  result.min = *std::min_element(values.begin(), values.end());
  result.max = *std::max_element(values.begin(), values.end());
  result.first = values.front();
  result.last = values.back();
  if (info(metric).kind == ObservedKind::total) result.increase = increase_in(series, metric, window);
  return result;
}

/// Of several readings that become one point the highest is drawn: peaks are what one looks for.
ObservedTimeline timeline_of(const SampleSeries& series, ObservedMetric metric, const Window& window) {
  ObservedTimeline line;
  line.metric = metric;
  const std::size_t per_point = (series.readings.size() + most_points - 1) / most_points;
  std::size_t in_point = 0;
  for (const Reading& reading : series.readings) {
    if (!reading.values.has(metric)) continue;
    const double at_s = static_cast<double>(reading.at_ns - window.begin_ns) * 1e-9;
    if (in_point == 0) {
      line.at_s.push_back(at_s);
      line.values.push_back(reading.values[metric]);
    } else {
      line.values.back() = std::max(line.values.back(), reading.values[metric]);
    }
    in_point = (in_point + 1) % per_point;
  }
  return line;
}

void count_throttling(const SampleSeries& series, const Window& window, ObservedSubject& result) {
  for (const Reading& reading : series.readings) {
    if (reading.at_ns < window.begin_ns || reading.at_ns >= window.end_ns || !reading.knows_throttle) continue;
    ++result.throttle_known;
    if (reading.throttle != 0) ++result.throttled;
    for (const ThrottleReason& reason : throttle_reasons)
      if ((reading.throttle & reason.bit) != 0) ++result.throttle[reason.name];
  }
}

ObservedSubject summarize_series(const SampleSeries& series, const Window& window, bool is_targets) {
  ObservedSubject result;
  result.subject = series.subject;
  result.is_targets = is_targets;
  result.readings = static_cast<std::uint64_t>(std::count_if(
      series.readings.begin(), series.readings.end(),
      [&](const Reading& reading) { return reading.at_ns >= window.begin_ns && reading.at_ns < window.end_ns; }));
  for (std::size_t i = 0; i < read_metric_count; ++i) {
    if (auto statistic = statistic_of(series, nth_metric(i), window)) result.metrics.push_back(*statistic);
    if (info(nth_metric(i)).kind == ObservedKind::level && ever_has(series, nth_metric(i)))
      result.timelines.push_back(timeline_of(series, nth_metric(i), window));
  }
  if (series.subject.kind != Subject::Kind::gpu) return result;
  count_throttling(series, window, result);
  const auto used = std::find_if(series.readings.begin(), series.readings.end(), [](const Reading& reading) {
    return reading.values.has(ObservedMetric::gpu_memory_used_mib);
  });
  if (used != series.readings.end() && used->at_ns < window.begin_ns)
    result.baseline_memory_mib = used->values[ObservedMetric::gpu_memory_used_mib];
  result.energy_from_power = !ever_has(series, ObservedMetric::gpu_energy_j);
  result.energy_j = result.energy_from_power ? integral_in(series, ObservedMetric::gpu_power_w, window)
                                             : increase_in(series, ObservedMetric::gpu_energy_j, window);
  return result;
}

ObservedSource summarize_source(const Observations& observations, const SourceLog& log, const Window& window) {
  const auto in_window = [&](std::int64_t at) { return at >= window.begin_ns && at < window.end_ns; };
  return {log.name,
          log.is_open,
          log.is_targets,
          static_cast<std::uint64_t>(std::count_if(log.failed_at_ns.begin(), log.failed_at_ns.end(), in_window)),
          log.first_error,
          log.notes,
          unchanged_in(observations, log, window)};
}

void add_energy(ObservedSummary& summary) {
  bool has_gpu = false, knows_all = true;
  double sum = 0;
  for (const ObservedSubject& subject : summary.subjects) {
    if (subject.subject.kind != Subject::Kind::gpu) continue;
    has_gpu = true;
    knows_all = knows_all && subject.energy_j.has_value();
    sum += subject.energy_j.value_or(0);
  }
  if (!has_gpu || !knows_all) return;
  summary.energy_j = sum;
  if (summary.output_tokens > 0) summary.joules_per_output_token = sum / static_cast<double>(summary.output_tokens);
}

}  // namespace

ObservedSummary summarize_observed(const Observations& observations, const Window& window,
                                   std::uint64_t output_tokens) {
  ObservedSummary summary;
  summary.window_s = window.seconds();
  summary.output_tokens = output_tokens;
  for (const SourceLog& log : observations.sources)
    summary.sources.push_back(summarize_source(observations, log, window));
  for (const SampleSeries& series : observations.series) {
    const auto log = std::find_if(observations.sources.begin(), observations.sources.end(),
                                  [&](const SourceLog& source) { return source.name == series.subject.source; });
    const bool is_targets = log == observations.sources.end() || log->is_targets;
    summary.subjects.push_back(summarize_series(series, window, is_targets));
  }
  add_energy(summary);
  return summary;
}

std::vector<std::string> observed_warnings(const ObservedSummary& observed) {
  std::vector<std::string> warnings;
  for (const ObservedSource& source : observed.sources) {
    if (!source.is_open) {
      warnings.push_back(fmt::format("{} gave nothing: {}", source.name, source.first_error));
    } else if (source.failed > 0) {
      warnings.push_back(fmt::format("{} gave less than everything at {} looks in the window: {}", source.name,
                                     source.failed, source.first_error));
    }
    if (source.unchanged && source.unchanged->is_stale)
      warnings.push_back(fmt::format("{} did not change for {:.3g} s of the window: what it says may be old",
                                     source.name, source.unchanged->longest_s));
  }
  return warnings;
}

}  // namespace loadgen
