// What simulations found, as text for people and as JSON for scripts.
#pragma once

#include <string>
#include <vector>

#include "refserver/simulate/comparison.hpp"
#include "refserver/simulate/theory.hpp"

namespace refserver {

/// One scenario that was run, and what was found. All figures of `result` are of the whole run.
struct ScenarioRun {
  SimulationScenario scenario;
  SimulationResult result;
  std::vector<Finding> findings;

  bool agrees() const;
};

std::string scenario_text(const ScenarioRun& run);
/// One JSON object.
std::string scenario_json(const ScenarioRun& run);

std::string comparison_text(const ComparisonSettings& settings, const std::vector<ComparedRun>& runs);
std::string comparison_json(const ComparisonSettings& settings, const std::vector<ComparedRun>& runs);

/// "1.234 ms" with four digits.
std::string time_text(double ns);

}  // namespace refserver
