// `loadgen doctor`: is this machine up to a load? And the same question before every run.
#pragma once

#include <string>
#include <vector>

#include "loadgen/cli.hpp"
#include "loadgen/exit_code.hpp"

namespace loadgen {

/// Prints each limit beside what the load needs, and how to raise what is short; 4 (invalid) if something is short.
ExitCode run_doctor(const DoctorCommand& command);

/// Sentences for a run's warnings: hard limits (descriptors, ports, backlog, CPU quota) that are short for this load.
std::vector<std::string> preflight_warnings(const Scenario& scenario, std::uint32_t shards);

}  // namespace loadgen
