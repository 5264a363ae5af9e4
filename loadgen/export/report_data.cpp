#include "loadgen/export/report_data.hpp"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "loadgen/export/slowest_lines.hpp"

namespace loadgen {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t most_bins = 64;
constexpr double steps_per_halving = 8;

/// Six significant digits: more than a picture can show, and a third of the bytes.
Json rounded(double value) {
  if (!std::isfinite(value) || value == 0) return value == 0 ? Json(0) : Json(nullptr);
  const double scale = std::pow(10.0, 5 - std::floor(std::log10(std::abs(value))));
  return Json(std::round(value * scale) / scale);
}

Json rounded(const std::optional<double>& value) {
  return value ? rounded(*value) : Json(nullptr);
}

/// Where the percentile curve is read: evenly on a logarithmic axis of 1 / (1 - quantile), with 90 %, 99 %, ... among
/// them, up to the largest of `total` values.
std::vector<double> curve_positions(double total) {
  std::vector<double> positions = {total};
  for (int step = 0; std::exp2(step / steps_per_halving) < total; ++step)
    positions.push_back(std::exp2(step / steps_per_halving));
  for (double decade = 10; decade < total; decade *= 10) positions.push_back(decade);
  std::sort(positions.begin(), positions.end());
  return positions;
}

/// [1 / (1 - quantile), ms]; ends early where the rest are requests cut by a timeout.
Json percentile_curve(const exporters::Distribution& values) {
  Json curve = Json::array();
  for (const double inverse : curve_positions(static_cast<double>(values.count() + values.censored()))) {
    const auto ms = values.percentile_ms(1.0 - 1.0 / inverse);
    if (!ms) break;
    curve.push_back({rounded(inverse), rounded(*ms)});
  }
  return curve;
}

/// The largest 1 / (1 - quantile) that has enough values behind it.
double trusted_inverse(const exporters::Distribution& values) {
  const std::uint64_t total = values.count() + values.censored();
  double low = 1;
  double high = std::max(2.0, static_cast<double>(total));
  for (int i = 0; i < 40; ++i) {
    const double middle = std::sqrt(low * high);
    (exporters::percentile_floor(1.0 - 1.0 / middle) <= total ? low : high) = middle;
  }
  return low;
}

/// Equal bins from the smallest value to p99.9, as wide as a whole number of the histogram's slots there, since
/// narrower ones would show its resolution instead of the data; what is above is counted in `over`.
Json histogram_bins(const exporters::Distribution& values) {
  const exporters::HdrLayout& layout = values.histogram().layout();
  const double from = values.min_ms();
  const double to = std::max(values.percentile_ms(0.999).value_or(values.max_ms()), from);
  const double slot = static_cast<double>(layout.width_of(layout.slot_of(std::llround(to * 1000)))) / 1000;
  const double width = slot * std::max(1.0, std::ceil((to - from) / static_cast<double>(most_bins) / slot));
  std::vector<std::uint64_t> counts(static_cast<std::size_t>((to - from) / width) + 1, 0);
  std::uint64_t over = values.censored();
  values.histogram().for_each_slot([&](std::size_t, std::int64_t lowest, std::int64_t highest, std::uint64_t count) {
    const double middle = static_cast<double>(lowest + highest) / 2000.0;
    const auto bin = static_cast<std::size_t>(std::max(0.0, (middle - from) / width));
    (bin < counts.size() ? counts[bin] : over) += count;
  });
  return {{"from", rounded(from)}, {"width", rounded(width)}, {"counts", counts}, {"over", over}};
}

/// Several seconds as one point of the drawing.
struct Step {
  double begin_s = 0, length_s = 0;
  Phase phase = Phase::measure;
  std::uint64_t sent = 0, ok = 0, failed = 0, tokens = 0;
  std::uint32_t in_flight = 0;
  std::optional<double> ttft_p50, ttft_p99, tpot_p50, tpot_p99, e2e_p50, e2e_p99;

  void add(const SeriesPoint& point) {
    if (length_s == 0) begin_s = point.at_s - point.length_s / 2;
    length_s += point.length_s;
    phase = point.phase;
    sent += point.sent;
    ok += point.ok;
    failed += point.failed;
    tokens += point.tokens;
    in_flight = std::max(in_flight, point.in_flight);
    raise(ttft_p50, point.ttft_p50);
    raise(ttft_p99, point.ttft_p99);
    raise(tpot_p50, point.tpot_p50);
    raise(tpot_p99, point.tpot_p99);
    raise(e2e_p50, point.e2e_p50);
    raise(e2e_p99, point.e2e_p99);
  }

 private:
  static void raise(std::optional<double>& largest, const std::optional<double>& value) {
    if (value) largest = std::max(largest.value_or(*value), *value);
  }
};

std::vector<Step> group(const std::vector<SeriesPoint>& series, std::size_t per_step) {
  std::vector<Step> steps;
  for (std::size_t i = 0; i < series.size(); ++i) {
    if (i % per_step == 0) steps.emplace_back();
    steps.back().add(series[i]);
  }
  return steps;
}

Json series_document(const std::vector<Step>& steps) {
  Json columns = Json::object();
  for (const char* name : {"at", "phase", "sent", "ok", "failed", "tokens", "in_flight", "ttft_p50", "ttft_p99",
                           "tpot_p50", "tpot_p99", "e2e_p50", "e2e_p99"})
    columns[name] = Json::array();
  for (const Step& step : steps) {
    const auto rate = [&step](std::uint64_t count) {
      return step.length_s > 0 ? rounded(static_cast<double>(count) / step.length_s) : Json(nullptr);
    };
    columns["at"].push_back(rounded(step.begin_s + step.length_s / 2));
    columns["phase"].push_back(label(step.phase));
    columns["sent"].push_back(rate(step.sent));
    columns["ok"].push_back(rate(step.ok));
    columns["failed"].push_back(rate(step.failed));
    columns["tokens"].push_back(rate(step.tokens));
    columns["in_flight"].push_back(step.in_flight);
    columns["ttft_p50"].push_back(rounded(step.ttft_p50));
    columns["ttft_p99"].push_back(rounded(step.ttft_p99));
    columns["tpot_p50"].push_back(rounded(step.tpot_p50));
    columns["tpot_p99"].push_back(rounded(step.tpot_p99));
    columns["e2e_p50"].push_back(rounded(step.e2e_p50));
    columns["e2e_p99"].push_back(rounded(step.e2e_p99));
  }
  return columns;
}

}  // namespace

Json distribution_document(const exporters::Distribution& values) {
  if (values.count() == 0) return nullptr;
  return {{"count", values.count()},
          {"censored", values.censored()},
          {"curve", percentile_curve(values)},
          {"trusted", rounded(trusted_inverse(values))},
          {"histogram", histogram_bins(values)}};
}

Json report_document(const Json& summary, const Scenario& scenario, const RunTotals& totals, std::size_t max_points) {
  Json distributions = Json::object();
  for (std::size_t metric = 0; metric < metric_count; ++metric) {
    const auto all = over_entries(totals.entries, static_cast<Metric>(metric));
    distributions[std::string(metric_labels[metric])] = distribution_document(all);
  }
  const std::size_t per_step = std::max<std::size_t>(1, (totals.series.size() + max_points - 1) / max_points);
  return {{"summary", summary},
          {"step_s", per_step},
          {"window_s", rounded(totals.facts.window.seconds())},
          {"series", series_document(group(totals.series, per_step))},
          {"distributions", std::move(distributions)},
          {"slowest", slowest_document(scenario, totals.slowest)}};
}

}  // namespace loadgen
