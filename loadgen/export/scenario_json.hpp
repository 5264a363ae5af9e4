// Scenario -> the member `scenario` of summary.json: what was asked for. docs/summary-json.md describes it.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Members in their fixed order. Header values are never part of it: they may be credentials.
nlohmann::ordered_json scenario_document(const Scenario& scenario);

}  // namespace loadgen
