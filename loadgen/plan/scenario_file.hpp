// Scenarios from files and from flags: the one way text becomes a validated Scenario. Reads files; sends nothing.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "loadgen/plan/scenario.hpp"
#include "loadgen/plan/scenario_errors.hpp"
#include "loadgen/plan/scenario_flags.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// Reads a YAML or JSON file, lays the flags over it and validates. The format is described by scenarios/schema.json.
/// The errors are all that could be found in one pass.
Result<Scenario, ScenarioErrors> read_scenario_file(const std::filesystem::path& path, const ScenarioFlags& flags = {});

/// The same for text; `source` names it in errors, `folder` is where a prompts_file may lie (empty: nowhere).
Result<Scenario, ScenarioErrors> parse_scenario(std::string_view text, const std::string& source,
                                                const std::filesystem::path& folder, const ScenarioFlags& flags = {});

/// The scenario that flags alone describe.
Result<Scenario, ScenarioErrors> scenario_from_flags(const ScenarioFlags& flags);

}  // namespace loadgen
