// What a command line that cannot be followed ends in: a message on stderr, and bad usage.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "loadgen/cli.hpp"

namespace loadgen {

inline Done bad_usage(const std::string& message) {
  fmt::print(stderr, "{}", message);
  return {ExitCode::bad_usage};
}
inline Done bad_flag(const char* flag, const std::string& message) {
  return bad_usage(fmt::format("{}: {}\n", flag, message));
}

}  // namespace loadgen
