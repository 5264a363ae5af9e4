// What a scenario must show if the simulation is right, and whether it did.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "refserver/simulate/scenario.hpp"
#include "refserver/simulate/statistics.hpp"

namespace refserver {

enum class Series : std::uint8_t { wait, ttft, gap, e2e };

std::string_view series_name(Series series);

/// One figure as theory has it, in nanoseconds.
struct Expectation {
  Series series = Series::wait;
  std::optional<double> p;  ///< a percentile as a share; none: the mean
  double value = 0;
  /// What the simulation may differ by although nothing in it is random; none: it is random.
  std::optional<double> exact_within;
};

/// The simulated figure agrees if the expected one lies in its range.
struct Finding {
  Expectation expected;
  Estimate simulated;
  bool agrees() const;
};

/// Why the theory named says nothing about such settings; empty if it does.
std::optional<std::string> find_problem(const SimulationScenario& scenario);

/// Time of one request that has the device to itself, in nanoseconds: all its steps.
double service_ns(const SimulationSettings& settings);

/// Empty where no theory is named. The scenario must have no problem.
std::vector<Expectation> expectations(const SimulationScenario& scenario);

/// The range of a percentile holds the true one in 99 % of runs, judged by 30 batches of the run; that of a mean is
/// three standard errors or 5 % of the expected one, whichever is more.
std::vector<Finding> compare_with_theory(const SimulationScenario& scenario, const SimulationResult& result);

/// The share of the time in which a step runs; none where there is no theory of it.
std::optional<double> expected_busy_share(const SimulationScenario& scenario);

/// "mean", "p50", "p99.9".
std::string statistic_name(const std::optional<double>& p);

}  // namespace refserver
