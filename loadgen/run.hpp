// `loadgen run`: wires plan, workers, recorders, exporters and the terminal together and conducts the phases of a run.
#pragma once

#include "loadgen/cli.hpp"
#include "loadgen/exit_code.hpp"

namespace loadgen {

/// Runs to the end, writes the run directory, prints the final table. Errors are printed on stderr.
ExitCode run_load(RunCommand command);

}  // namespace loadgen
