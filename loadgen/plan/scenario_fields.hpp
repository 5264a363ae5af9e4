// A document's top level as a Scenario: load, length, phases, mix, gates.
#pragma once

#include <filesystem>

#include "loadgen/plan/document.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Validates everything and adds what is wrong to `errors`; the scenario is good only if nothing was added.
Scenario read_scenario_fields(const Document& document, const std::filesystem::path& folder, ScenarioErrors& errors);

}  // namespace loadgen
