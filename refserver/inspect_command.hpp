// `refserver inspect`: checks a model folder and says what is in it.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// argv[0] is "inspect". Prints the findings on stdout; what is wrong on stderr.
ExitCode run_inspect(int argc, const char* const* argv);

}  // namespace refserver
