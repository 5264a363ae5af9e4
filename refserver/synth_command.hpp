// `refserver synth`: writes a model folder with made-up weights.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// argv[0] is "synth". Prints what was written on stdout, progress and errors on stderr.
ExitCode run_synth(int argc, const char* const* argv);

}  // namespace refserver
