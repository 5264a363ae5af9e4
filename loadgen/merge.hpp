// `loadgen merge`: the run directories of several shards to one.
#pragma once

#include "loadgen/cli.hpp"
#include "loadgen/exit_code.hpp"

namespace loadgen {

/// Reads, checks, adds, judges, writes the merged run directory and prints the final table. Errors are printed on
/// stderr.
ExitCode run_merge(const MergeCommand& command);

}  // namespace loadgen
