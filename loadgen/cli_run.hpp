// `loadgen run`, from what its flags say to the command.
#pragma once

#include "loadgen/cli.hpp"
#include "loadgen/cli_arguments.hpp"

namespace loadgen {

/// Reads the scenario and everything beside it. Prints what is wrong and gives Done if something is.
Command make_run(const Arguments& arguments);

}  // namespace loadgen
