// `refserver calibrate`: says how well this machine keeps time.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// Parses its own flags; ok, or bad_usage.
ExitCode run_calibrate(int argc, const char* const* argv);

}  // namespace refserver
