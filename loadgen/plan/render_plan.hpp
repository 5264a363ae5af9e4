// A scenario as a short table for people: what would be sent, for how long, and what it will be judged by.
#pragma once

#include <string>

#include "loadgen/plan/scenario.hpp"

namespace loadgen {

/// Several lines ending in a newline. Says how many requests to expect where that is known beforehand, and warns when
/// they are too few for a gate's percentile.
std::string render_plan(const Scenario& scenario);

}  // namespace loadgen
