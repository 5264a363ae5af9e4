// The flags that say what to look at besides the requests.
#pragma once

#include "loadgen/plan/scenario_flags.hpp"

namespace CLI {
class App;
}

namespace loadgen {

/// `flags` outlives the parsing.
void add_observe_flags(CLI::App& app, ObserveFlags& flags);

}  // namespace loadgen
