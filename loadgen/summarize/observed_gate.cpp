#include "loadgen/summarize/observed_gate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "loadgen/summarize/gate_check.hpp"
#include "loadgen/summarize/observed_window.hpp"

namespace loadgen {
namespace {

using Status = GateResult::Status;
using Statistic = ObservedTerm::Statistic;

struct Finding {
  Status status = Status::inconclusive;
  std::optional<double> value;
  std::string note;
};

Finding undecided(std::string note) {
  return {Status::inconclusive, std::nullopt, std::move(note)};
}

struct Scope {
  const Gate& gate;
  const ObservedTerm& term;
  const Observations& observations;
  const Window& window;
  std::uint64_t output_tokens = 0;
};

Finding decided(const Scope& scope, double value) {
  return {holds(value, scope.gate) ? Status::pass : Status::fail, value, ""};
}

const std::string& key_of(const Subject& subject) {
  return subject.kind == Subject::Kind::gpu ? subject.gpu : subject.model;
}

std::string name_of(const Subject& subject) {
  if (subject.kind == Subject::Kind::gpu) return "GPU " + subject.gpu;
  return subject.model.empty() ? subject.target : fmt::format("model {} of {}", subject.model, subject.target);
}

/// The smallest value with at least quantile * n values at or below it.
double nearest_rank(std::vector<double> values, double quantile) {
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(quantile * static_cast<double>(values.size()) - 1e-9);
  return values[static_cast<std::size_t>(std::max(1.0, rank)) - 1];
}

double statistic_of(const ObservedTerm& term, const std::vector<double>& values) {
  switch (term.statistic) {
    case Statistic::mean:
      return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
    case Statistic::min:
      return *std::min_element(values.begin(), values.end());
    case Statistic::max:
      return *std::max_element(values.begin(), values.end());
    case Statistic::percentile:
      return nearest_rank(values, term.quantile);
    case Statistic::last:
    case Statistic::whole:
      break;
  }
  return values.back();
}

/// Readings that a percentile needs so that at least one lies beyond it.
std::size_t floor_of(double quantile) {
  return static_cast<std::size_t>(std::ceil(1 / std::min(quantile, 1 - quantile) - 1e-9));
}

/// What was seen stays seen: of a highest or lowest value, readings that are missing can only make a failure worse.
bool stays_failed(const Scope& scope, const Finding& finding) {
  if (finding.status != Status::fail) return false;
  return wants_small(scope.gate.comparison) ? scope.term.statistic == Statistic::max
                                            : scope.term.statistic == Statistic::min;
}

Finding check_level(const Scope& scope, const SampleSeries& series) {
  const std::vector<double> values = values_in(series, scope.term.metric, scope.window);
  const std::string_view name = info(scope.term.metric).name;
  if (values.empty()) return undecided(fmt::format("no reading of {} in the window", name));
  const bool is_percentile = scope.term.statistic == Statistic::percentile;
  if (const std::size_t need = is_percentile ? floor_of(scope.term.quantile) : 0; values.size() < need)
    return undecided(fmt::format("needs at least {} readings of {}, has {}; run longer", need, name, values.size()));
  const Finding finding = decided(scope, statistic_of(scope.term, values));
  if (covers(values.size(), scope.window) || stays_failed(scope, finding)) return finding;
  return {Status::inconclusive, finding.value,
          fmt::format("only {} readings in {:.3g} s: the source was not there all the time", values.size(),
                      scope.window.seconds())};
}

Finding check_increase(const Scope& scope, const std::optional<double>& increase) {
  if (increase) return decided(scope, *increase);
  return undecided(fmt::format("{} is not known at both edges of the window, or its owner was started anew",
                               info(scope.term.metric).name));
}

/// Why what the source of a series said in the window cannot be believed; empty: nothing speaks against it.
std::string staleness(const Scope& scope, const SampleSeries& series) {
  for (const SourceLog& log : scope.observations.sources) {
    if (log.name != series.subject.source || log.kind != series.subject.kind) continue;
    const auto unchanged = unchanged_in(scope.observations, log, scope.window);
    if (unchanged && unchanged->is_stale)
      return fmt::format("{} did not change for {:.3g} s of the window: what it says may be old", log.name,
                         unchanged->longest_s);
  }
  return "";
}

/// Energy of one GPU: from its counter, or added up from its power.
std::optional<double> energy_of(const SampleSeries& series, const Window& window) {
  return ever_has(series, ObservedMetric::gpu_energy_j) ? increase_in(series, ObservedMetric::gpu_energy_j, window)
                                                        : integral_in(series, ObservedMetric::gpu_power_w, window);
}

Finding check_ratio(const Scope& scope, const SampleSeries& series, ObservedMetric part, ObservedMetric whole,
                    double scale) {
  const auto above = increase_in(series, part, scope.window), below = increase_in(series, whole, scope.window);
  if (!above || !below) return check_increase(scope, std::nullopt);
  if (*below <= 0) return undecided(fmt::format("nothing to take {} of in the window", info(scope.term.metric).name));
  return decided(scope, scale * *above / *below);
}

Finding check_values(const Scope& scope, const SampleSeries& series) {
  switch (scope.term.metric) {
    case ObservedMetric::gpu_energy_j:
      return check_increase(scope, energy_of(series, scope.window));
    case ObservedMetric::server_queue_time_mean:
      return check_ratio(scope, series, ObservedMetric::server_queue_time_s, ObservedMetric::server_queue_time_count,
                         1000);
    case ObservedMetric::server_prefix_hit_share:
      return check_ratio(scope, series, ObservedMetric::server_prefix_hit_tokens,
                         ObservedMetric::server_prefix_queried_tokens, 1);
    default:
      break;
  }
  if (info(scope.term.metric).kind == ObservedKind::level) return check_level(scope, series);
  return check_increase(scope, increase_in(series, scope.term.metric, scope.window));
}

Finding check_series(const Scope& scope, const SampleSeries& series) {
  Finding finding = check_values(scope, series);
  std::string stale = staleness(scope, series);
  if (stale.empty() || finding.status == Status::inconclusive || stays_failed(scope, finding)) return finding;
  return {Status::inconclusive, finding.value, std::move(stale)};
}

/// What a series must ever have had for a gate on `metric` to be about it.
bool is_asked_about(const SampleSeries& series, ObservedMetric metric) {
  switch (metric) {
    case ObservedMetric::gpu_energy_j:
    case ObservedMetric::gpu_joules_per_token:
      return true;  // every GPU draws power
    case ObservedMetric::server_queue_time_mean:
      return ever_has(series, ObservedMetric::server_queue_time_s);
    case ObservedMetric::server_prefix_hit_share:
      return ever_has(series, ObservedMetric::server_prefix_queried_tokens);
    default:
      return ever_has(series, metric);
  }
}

/// Why there is no series to look at.
Finding absent(const Scope& scope) {
  const bool about_gpu = is_about_gpu(scope.term.metric);
  const auto kind = about_gpu ? Subject::Kind::gpu : Subject::Kind::server;
  std::string problem, sources;
  for (const SourceLog& log : scope.observations.sources) {
    if (log.kind != kind) continue;
    sources += (sources.empty() ? "" : ", ") + log.name;
    if (problem.empty()) problem = log.first_error;
  }
  if (sources.empty())
    return undecided(about_gpu ? "no GPU was looked at; name a source with --gpu-source nvml, dcgm:URL or target"
                               : "no metrics page was looked at; name one with --scrape URL or --scrape target");
  if (!problem.empty()) return undecided(fmt::format("{} gave nothing: {}", sources, problem));
  std::string there;
  for (const SampleSeries& series : scope.observations.series)
    if (series.subject.kind == kind) there += (there.empty() ? "" : ", ") + name_of(series.subject);
  if (!scope.term.only.empty())
    return undecided(fmt::format("there is no {} {} with it among {}", about_gpu ? "GPU" : "model", scope.term.only,
                                 there.empty() ? "none" : there));
  return undecided(fmt::format("{} does not say {}", sources, info(scope.term.metric).name));
}

std::vector<const SampleSeries*> series_of(const Scope& scope) {
  std::vector<const SampleSeries*> found;
  const auto kind = is_about_gpu(scope.term.metric) ? Subject::Kind::gpu : Subject::Kind::server;
  for (const SampleSeries& series : scope.observations.series) {
    const bool is_chosen = scope.term.only.empty() || key_of(series.subject) == scope.term.only;
    if (series.subject.kind == kind && is_chosen && is_asked_about(series, scope.term.metric)) found.push_back(&series);
  }
  return found;
}

Finding check_joules_per_token(const Scope& scope, const std::vector<const SampleSeries*>& gpus) {
  double sum = 0;
  for (const SampleSeries* gpu : gpus) {
    const auto energy = energy_of(*gpu, scope.window);
    if (!energy) return undecided(fmt::format("the energy of {} in the window is not known", name_of(gpu->subject)));
    if (std::string stale = staleness(scope, *gpu); !stale.empty()) return undecided(std::move(stale));
    sum += *energy;
  }
  if (scope.output_tokens == 0) return undecided("no output token was received in the window");
  return decided(scope, sum / static_cast<double>(scope.output_tokens));
}

/// Failures first, then what is open; among equals the one nearest to the limit, or farthest beyond it.
bool is_worse(const Scope& scope, const Finding& a, const Finding& b) {
  const auto rank = [](Status status) { return status == Status::fail ? 0 : status == Status::inconclusive ? 1 : 2; };
  if (rank(a.status) != rank(b.status)) return rank(a.status) < rank(b.status);
  if (!a.value || !b.value) return a.value.has_value() < b.value.has_value();
  return wants_small(scope.gate.comparison) ? *a.value > *b.value : *a.value < *b.value;
}

Finding check_all(const Scope& scope) {
  const std::vector<const SampleSeries*> all = series_of(scope);
  if (all.empty()) return absent(scope);
  if (scope.term.metric == ObservedMetric::gpu_joules_per_token) return check_joules_per_token(scope, all);
  Finding worst = check_series(scope, *all.front());
  const SampleSeries* of = all.front();
  for (const SampleSeries* series : all) {
    Finding finding = check_series(scope, *series);
    if (!is_worse(scope, finding, worst)) continue;
    worst = std::move(finding);
    of = series;
  }
  if (all.size() == 1) return worst;
  worst.note = fmt::format("{}{}{}", name_of(of->subject), worst.note.empty() ? "" : ": ", worst.note);
  return worst;
}

std::string reasons_text(const ObservedSubject& gpu) {
  std::string text;
  for (const auto& [reason, count] : gpu.throttle)
    text += fmt::format("{}{} {}x", text.empty() ? "" : ", ", reason, count);
  return text;
}

}  // namespace

GateResult check_observed_gate(const Gate& gate, const ObservedTerm& term, const Observations& observations,
                               const Window& window, std::uint64_t output_tokens) {
  Finding finding = check_all({gate, term, observations, window, output_tokens});
  return {finding.status, gate.text, finding.value, std::move(finding.note),
          std::string(label(info(term.metric).unit))};
}

void judge_observed(Validity& validity, const ObservedSummary& observed) {
  constexpr double tolerated = 0.01;
  for (const ObservedSubject& gpu : observed.subjects) {
    if (gpu.subject.kind != Subject::Kind::gpu || !gpu.is_targets || gpu.throttle_known == 0) continue;
    const double share = static_cast<double>(gpu.throttled) / static_cast<double>(gpu.throttle_known);
    HealthCheck check{"gpu_throttled_" + gpu.subject.gpu,
                      gpu.throttled == 0 ? "never" : fmt::format("{:.3g} % of the readings", share * 100),
                      "≤ 1 % of the readings", share, share <= tolerated ? Health::valid : Health::suspect};
    if (check.status != Health::valid) {
      validity.status = std::max(validity.status, Health::suspect);
      validity.reasons.push_back(
          fmt::format("gpu_throttled: GPU {} of the target ran below its clock in {} of {} readings ({}); these "
                      "numbers are those of "
                      "its power limit or its cooling",
                      gpu.subject.gpu, gpu.throttled, gpu.throttle_known, reasons_text(gpu)));
    }
    validity.checks.push_back(std::move(check));
  }
}

}  // namespace loadgen
