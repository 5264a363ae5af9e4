// `refserver simulate`: arrivals through the real scheduler and a simulated engine in virtual time.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// argv[0] is "simulate". Prints figures on stdout, problems on stderr.
ExitCode run_simulate(int argc, const char* const* argv);

}  // namespace refserver
