// `refserver plan`: whether models fit a GPU, and how fast they could be at best. Needs no GPU.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// argv[0] is "plan". Prints the plan on stdout; what does not fit on stderr.
ExitCode run_plan(int argc, const char* const* argv);

}  // namespace refserver
