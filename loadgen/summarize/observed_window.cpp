#include "loadgen/summarize/observed_window.hpp"

#include <algorithm>
#include <cmath>

namespace loadgen {
namespace {

constexpr std::int64_t widest_gap_ns = 5'000'000'000;
constexpr std::int64_t near_ns = 1'000'000'000;
constexpr double stale_after_s = 60;  ///< twice of what NVIDIA's exporter takes between two looks of its own

struct Point {
  std::int64_t at_ns = 0;
  double value = 0;
};

std::vector<Point> points_of(const SampleSeries& series, ObservedMetric metric) {
  std::vector<Point> points;
  for (const Reading& reading : series.readings)
    if (reading.values.has(metric)) points.push_back({reading.at_ns, reading.values[metric]});
  return points;
}

std::optional<double> value_at(const std::vector<Point>& points, std::int64_t at_ns) {
  const auto after = std::find_if(points.begin(), points.end(), [&](const Point& p) { return p.at_ns >= at_ns; });
  const bool has_after = after != points.end(), has_before = after != points.begin();
  if (has_after && after->at_ns == at_ns) return after->value;
  if (has_after && has_before) {
    const Point& before = *(after - 1);
    const std::int64_t gap = after->at_ns - before.at_ns;
    if (gap > widest_gap_ns) return std::nullopt;
    const double share = static_cast<double>(at_ns - before.at_ns) / static_cast<double>(gap);
    return before.value + share * (after->value - before.value);
  }
  if (has_after && after->at_ns - at_ns <= near_ns) return after->value;
  if (has_before && at_ns - (after - 1)->at_ns <= near_ns) return (after - 1)->value;
  return std::nullopt;
}

/// The window as a line: its edges and every point between them. Empty when an edge or too long a stretch is unknown.
std::vector<Point> line_over(const SampleSeries& series, ObservedMetric metric, const Window& window) {
  const std::vector<Point> points = points_of(series, metric);
  const auto begin = value_at(points, window.begin_ns), end = value_at(points, window.end_ns);
  if (!begin || !end) return {};
  std::vector<Point> line = {{window.begin_ns, *begin}};
  for (const Point& point : points)
    if (point.at_ns > window.begin_ns && point.at_ns < window.end_ns) line.push_back(point);
  line.push_back({window.end_ns, *end});
  return line;
}

bool is_same(const Reading& a, const Reading& b) {
  for (std::size_t i = 0; i < read_metric_count; ++i) {
    const auto metric = static_cast<ObservedMetric>(i);
    if (a.values.has(metric) != b.values.has(metric)) return false;
    if (a.values.has(metric) && a.values[metric] != b.values[metric]) return false;
  }
  return a.throttle == b.throttle && a.knows_throttle == b.knows_throttle;
}

struct Changes {
  std::optional<std::int64_t> first_seen_ns;
  std::vector<std::int64_t> at_ns;  ///< in order: readings that differ from the one before of the same subject
};

Changes changes_of(const Observations& observations, const SourceLog& log) {
  Changes changes;
  for (const SampleSeries& series : observations.series) {
    if (series.subject.source != log.name || series.subject.kind != log.kind || series.readings.empty()) continue;
    const std::int64_t first_ns = series.readings.front().at_ns;
    changes.first_seen_ns = std::min(changes.first_seen_ns.value_or(first_ns), first_ns);
    for (std::size_t i = 1; i < series.readings.size(); ++i)
      if (!is_same(series.readings[i - 1], series.readings[i])) changes.at_ns.push_back(series.readings[i].at_ns);
  }
  std::sort(changes.at_ns.begin(), changes.at_ns.end());
  return changes;
}

}  // namespace

std::vector<double> values_in(const SampleSeries& series, ObservedMetric metric, const Window& window) {
  std::vector<double> values;
  for (const Reading& reading : series.readings) {
    if (reading.at_ns >= window.begin_ns && reading.at_ns < window.end_ns && reading.values.has(metric))
      values.push_back(reading.values[metric]);
  }
  return values;
}

bool ever_has(const SampleSeries& series, ObservedMetric metric) {
  return std::any_of(series.readings.begin(), series.readings.end(),
                     [metric](const Reading& reading) { return reading.values.has(metric); });
}

std::optional<double> increase_in(const SampleSeries& series, ObservedMetric metric, const Window& window) {
  const std::vector<Point> line = line_over(series, metric, window);
  if (line.empty()) return std::nullopt;
  const auto falls = [](const Point& a, const Point& b) { return b.value < a.value; };
  if (std::adjacent_find(line.begin(), line.end(), falls) != line.end()) return std::nullopt;
  return line.back().value - line.front().value;
}

std::optional<double> integral_in(const SampleSeries& series, ObservedMetric metric, const Window& window) {
  const std::vector<Point> line = line_over(series, metric, window);
  if (line.empty()) return std::nullopt;
  double area = 0;
  for (std::size_t i = 1; i < line.size(); ++i) {
    const std::int64_t length_ns = line[i].at_ns - line[i - 1].at_ns;
    if (length_ns > widest_gap_ns) return std::nullopt;  // what it was in between is anyone's guess
    area += (line[i].value + line[i - 1].value) / 2 * static_cast<double>(length_ns) * 1e-9;
  }
  return area;
}

std::optional<Unchanged> unchanged_in(const Observations& observations, const SourceLog& log, const Window& window) {
  if (!log.is_page) return std::nullopt;
  const Changes changes = changes_of(observations, log);
  if (!changes.first_seen_ns || *changes.first_seen_ns >= window.end_ns) return std::nullopt;
  Unchanged result;
  std::int64_t last_in_window = window.begin_ns, newest = *changes.first_seen_ns;
  bool any_in_window = false;
  for (const std::int64_t at : changes.at_ns) {
    if (at >= window.end_ns) break;
    newest = at;
    if (at < window.begin_ns) continue;
    any_in_window = true;
    result.longest_s = std::max(result.longest_s, static_cast<double>(at - last_in_window) * 1e-9);
    last_in_window = at;
  }
  result.longest_s = std::max(result.longest_s, static_cast<double>(window.end_ns - last_in_window) * 1e-9);
  result.age_s = static_cast<double>(window.end_ns - newest) * 1e-9;
  result.is_stale = !any_in_window || result.longest_s > stale_after_s;
  return result;
}

bool covers(std::uint64_t readings, const Window& window) {
  const double expected = std::floor(window.seconds());
  return readings > 0 &&
         (static_cast<double>(readings) >= 0.9 * expected || static_cast<double>(readings) + 1 >= expected);
}

}  // namespace loadgen
