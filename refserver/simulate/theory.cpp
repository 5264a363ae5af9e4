// From scenario to expected figures; the formulas themselves are in queueing and in the distributions.
#include "refserver/simulate/theory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "refserver/simulate/queueing.hpp"

namespace refserver {
namespace {

constexpr double kPercentiles[] = {0.5, 0.9, 0.99};
constexpr double kTailPercentiles[] = {0.5, 0.9, 0.99, 0.999};

bool is_serial(const SimulationSettings& s) {
  return s.scheduler.batch == BatchKind::serial && s.engine.kind == EngineKind::cost && s.engine.drafts == 0 &&
         s.stalls.empty();
}

bool has_exponential_service(const SimulationSettings& s) {
  const auto* const noise = std::get_if<ExponentialTime>(&s.engine.noise.shape());
  const StepCost& cost = s.engine.cost;
  const bool is_free = cost.base + cost.weights + cost.prefill_token + cost.decode_token + cost.context_token == 0;
  return noise != nullptr && s.engine.noise.offset_ns() == 0 && is_free && s.size.prompt == 1 && s.size.answer == 1;
}

/// The time of a step with one row.
double step_ns(const SimulationSettings& s, std::uint32_t position, std::uint32_t count) {
  StepPlan plan;
  plan.rows.resize(1);
  plan.rows[0].position = position;
  plan.rows[0].count = count;
  plan.tokens = count;
  plan.prefill_tokens = count > 1 ? count : 0;
  return s.engine.cost.of(plan) + s.engine.noise.mean_ns();
}

SingleServer queue_of(const SimulationSettings& s) {
  return {s.arrivals.rate_per_s * 1e-9, service_ns(s)};
}

/// Requests from which batches of the run are long enough not to be alike: each then lasts 15 times as long as the
/// queue takes to forget its length, 1 / (1 - sqrt(utilisation))^2 service times (M/M/1; with constant service half of
/// that).
double least_requests(double utilisation) {
  const double forgets = utilisation / std::pow(1 - std::sqrt(utilisation), 2);
  return static_cast<double>(kBatches) * 15 * forgets;
}

/// One server that falls behind by the same time with each request, or never does.
std::vector<Expectation> expect_dd1(const SimulationScenario& scenario) {
  const SimulationSettings& s = scenario.settings;
  const double behind = std::max(0.0, service_ns(s) - 1e9 / s.arrivals.rate_per_s);
  const auto n = static_cast<double>(s.requests);
  std::vector<Expectation> out{{Series::wait, {}, (n - 1) / 2 * behind, 1}};
  for (const double p : kPercentiles) out.push_back({Series::wait, p, (std::ceil(p * n - 1e-9) - 1) * behind, 1});
  return out;
}

std::vector<Expectation> expect_queue(const SimulationScenario& scenario) {
  const SingleServer queue = queue_of(scenario.settings);
  const bool is_mm1 = scenario.theory == Theory::mm1;
  std::vector<Expectation> out{{Series::wait, {}, is_mm1 ? mm1_mean_wait(queue) : md1_mean_wait(queue), {}}};
  for (const double p : kPercentiles) {
    out.push_back({Series::wait, p, is_mm1 ? mm1_wait_quantile(queue, p) : md1_wait_quantile(queue, p), {}});
  }
  return out;
}

void expect_distribution(const Distribution& of, Series series, std::vector<Expectation>& out) {
  const auto exact_within = of.is_constant() ? std::optional(1.0) : std::nullopt;
  out.push_back({series, {}, of.mean_ns(), exact_within});
  for (const double p : kTailPercentiles) out.push_back({series, p, of.quantile_ns(p), exact_within});
}

/// A share stall / duration of the requests is late, evenly by up to the whole stall.
std::vector<Expectation> expect_stall(const SimulationScenario& scenario) {
  const SimulationSettings& s = scenario.settings;
  const double ttft = s.engine.ttft.mean_ns();
  const auto stall = static_cast<double>(s.stalls.front().length.count());
  const double gap = 1e9 / s.arrivals.rate_per_s;
  const double duration = static_cast<double>(s.requests) * gap;
  std::vector<Expectation> out{{Series::ttft, {}, ttft + stall * stall / (2 * duration), gap}};
  for (const double p : kTailPercentiles) {
    out.push_back({Series::ttft, p, ttft + std::max(0.0, stall - (1 - p) * duration), gap});
  }
  return out;
}

std::optional<std::string> find_queue_problem(const SimulationScenario& scenario) {
  const SimulationSettings& s = scenario.settings;
  const bool is_dd1 = scenario.theory == Theory::dd1;
  const std::string_view name = theory_name(scenario.theory);
  if (!is_serial(s))
    return fmt::format("{} is about one request at a time: batch serial, engine cost, no stalls", name);
  const auto process = is_dd1 ? ArrivalProcess::constant : ArrivalProcess::poisson;
  if (s.arrivals.process != process) return fmt::format("{} is about other arrivals", name);
  if (is_dd1 && scenario.warmup > 0) return "D/D/1 counts every request: no warmup";
  if (scenario.theory == Theory::mm1 && !has_exponential_service(s)) {
    return "M/M/1 is about one step per request of exponential length: prompt 1, answer 1, noise exp(...), no costs";
  }
  if (scenario.theory != Theory::mm1 && !s.engine.noise.is_constant()) {
    return fmt::format("{} is about constant service: noise must be constant", name);
  }
  if (s.size.prompt > s.scheduler.max_batch_prefill_tokens) return "the prompt takes more than one step";
  const double rho = queue_of(s).utilisation();
  if (!(rho > 0) || (!is_dd1 && rho >= 1)) {
    return fmt::format("at a utilisation of {} (rate times service of {} ns) there is no steady state", rho,
                       service_ns(s));
  }
  const auto counted = static_cast<double>(s.requests - scenario.warmup);
  if (!is_dd1 && counted < least_requests(rho)) {
    return fmt::format("at a utilisation of {:.3g} a run must count at least {:.0f} requests to say how sure it is",
                       rho, std::ceil(least_requests(rho)));
  }
  return std::nullopt;
}

std::optional<std::string> find_stall_problem(const SimulationScenario& scenario) {
  const SimulationSettings& s = scenario.settings;
  if (s.engine.kind != EngineKind::scripted || !s.engine.ttft.is_constant() || s.size.answer != 1 ||
      s.arrivals.process != ArrivalProcess::constant || s.stalls.size() != 1 || scenario.warmup > 0) {
    return "stall is about one stall, a scripted engine with a constant ttft, answer 1, constant arrivals, no warmup";
  }
  const double last = s.engine.ttft.mean_ns() + static_cast<double>(s.requests - 1) * 1e9 / s.arrivals.rate_per_s;
  const auto after = static_cast<double>(s.stalls[0].after.count());
  const auto end = after + static_cast<double>(s.stalls[0].length.count());
  if (after < s.engine.ttft.mean_ns() || end > last) return "the stall is not wholly between first and last token";
  return std::nullopt;
}

const std::vector<std::int64_t>& series_of(const SimulationResult& result, Series series) {
  switch (series) {
    case Series::wait:
      return result.wait;
    case Series::ttft:
      return result.ttft;
    case Series::gap:
      return result.gap;
    case Series::e2e:
      break;
  }
  return result.e2e;
}

}  // namespace

std::string_view series_name(Series series) {
  switch (series) {
    case Series::wait:
      return "wait";
    case Series::ttft:
      return "ttft";
    case Series::gap:
      return "gap";
    case Series::e2e:
      break;
  }
  return "e2e";
}

bool Finding::agrees() const {
  constexpr double rounding = 1;  // simulated times are whole nanoseconds
  return expected.value >= simulated.low - rounding && expected.value <= simulated.high + rounding;
}

std::optional<std::string> find_problem(const SimulationScenario& scenario) {
  switch (scenario.theory) {
    case Theory::none:
      return std::nullopt;
    case Theory::dd1:
    case Theory::md1:
    case Theory::mm1:
      return find_queue_problem(scenario);
    case Theory::script:
      if (scenario.settings.engine.kind == EngineKind::scripted && scenario.settings.stalls.empty())
        return std::nullopt;
      return "script is about a scripted engine without stalls";
    case Theory::stall:
      break;
  }
  return find_stall_problem(scenario);
}

double service_ns(const SimulationSettings& s) {
  double sum = step_ns(s, 0, s.size.prompt);
  for (std::uint32_t i = 1; i < s.size.answer; ++i) sum += step_ns(s, s.size.prompt + i - 1, 1);
  return sum;
}

std::vector<Expectation> expectations(const SimulationScenario& scenario) {
  std::vector<Expectation> out;
  switch (scenario.theory) {
    case Theory::none:
      return out;
    case Theory::dd1:
      return expect_dd1(scenario);
    case Theory::md1:
    case Theory::mm1:
      return expect_queue(scenario);
    case Theory::stall:
      return expect_stall(scenario);
    case Theory::script:
      break;
  }
  expect_distribution(scenario.settings.engine.ttft, Series::ttft, out);
  if (scenario.settings.size.answer > 1) expect_distribution(scenario.settings.engine.gap, Series::gap, out);
  return out;
}

std::vector<Finding> compare_with_theory(const SimulationScenario& scenario, const SimulationResult& result) {
  std::vector<Finding> out;
  std::vector<std::int64_t> sorted;  // of one series after the other
  for (const Expectation& expected : expectations(scenario)) {
    std::span<const std::int64_t> series = series_of(result, expected.series);
    if (expected.series != Series::gap) series = series.subspan(scenario.warmup);
    if (out.empty() || out.back().expected.series != expected.series) {
      sorted.assign(series.begin(), series.end());
      std::ranges::sort(sorted);
    }
    Finding finding{expected, expected.p ? estimate_percentile(series, sorted, *expected.p) : estimate_mean(series)};
    Estimate& simulated = finding.simulated;
    if (expected.exact_within || !expected.p) {
      const double half = expected.exact_within.value_or(std::max(3 * simulated.standard_error, 0.05 * expected.value));
      simulated.low = simulated.value - half;
      simulated.high = simulated.value + half;
    }
    out.push_back(finding);
  }
  return out;
}

std::optional<double> expected_busy_share(const SimulationScenario& scenario) {
  if (scenario.theory != Theory::dd1 && scenario.theory != Theory::md1 && scenario.theory != Theory::mm1) return {};
  return std::min(1.0, queue_of(scenario.settings).utilisation());
}

std::string statistic_name(const std::optional<double>& p) {
  return p ? fmt::format("p{:g}", *p * 100) : "mean";
}

}  // namespace refserver
