// `loadgen calibrate`: the planned load against a server whose times are known, to learn what this machine adds to
// them.
#pragma once

#include "loadgen/cli.hpp"
#include "loadgen/exit_code.hpp"

namespace loadgen {

/// Starts the server, runs the scenario against it and compares with its record: the final table shows this machine's
/// error for each metric. Ends with the exit code of the run.
ExitCode run_calibration(const CalibrateCommand& command);

}  // namespace loadgen
