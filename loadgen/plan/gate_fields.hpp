// The gates of a document, each checked against the mix and the load it will judge.
#pragma once

#include <vector>

#include "loadgen/plan/object_reader.hpp"
#include "loadgen/plan/scenario.hpp"

namespace loadgen {

enum class LoadKnown : bool { no, yes };

/// Reads the gates. Besides their grammar: the entry exists, and what the gate is about can have values at all, so that
/// nobody waits for a run that could only end inconclusive. `load` says whether `scenario.load` was read.
std::vector<Gate> read_gates(const ObjectReader& reader, const Document& document, const Scenario& scenario,
                             LoadKnown load, ScenarioErrors& errors);

}  // namespace loadgen
