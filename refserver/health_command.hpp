// `refserver health URL`: whether a server says that it is well. For images, which have no curl.
#pragma once

#include "refserver/exit_code.hpp"

namespace refserver {

/// ok: it answered 200 in time; unavailable: it did not; bad_usage.
ExitCode run_health(int argc, const char* const* argv);

}  // namespace refserver
