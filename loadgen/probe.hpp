// `loadgen probe`: does every route of a server answer for every model and scenario, in the shape its protocol
// promises?
#pragma once

#include "loadgen/cli.hpp"
#include "loadgen/exit_code.hpp"

namespace loadgen {

/// Sends one request per route x model x scenario, one after the other, and prints a table. `gate_failed` if any answer
/// is not right, `unreachable` if the target does not accept connections.
ExitCode run_probe(const ProbeCommand& command);

}  // namespace loadgen
