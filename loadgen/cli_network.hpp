// The flags that say how targets are reached, the same for every command that sends something.
#pragma once

#include "loadgen/plan/scenario_flags.hpp"

namespace CLI {
class App;
}

namespace loadgen {

/// `flags` outlives the parsing.
void add_network_flags(CLI::App& app, NetworkFlags& flags);

}  // namespace loadgen
