// `refserver generate`: prompts in, text out, on this machine and without a server.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

ExitCode run_generate(int argc, const char* const* argv);

}  // namespace refserver
