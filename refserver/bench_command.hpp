// `refserver bench`: how fast a model folder generates on this machine, one request at a time and batched.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

ExitCode run_bench(int argc, const char* const* argv);

}  // namespace refserver
