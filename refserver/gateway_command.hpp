// `refserver gateway`: one address in front of several TGI servers.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// Parses its own flags and serves until stopped; ok, unavailable, bad_usage or error.
ExitCode run_gateway(int argc, const char* const* argv);

}  // namespace refserver
