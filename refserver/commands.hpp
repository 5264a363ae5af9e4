// The commands besides `serve`: each parses its own flags and ends with an exit code.
#pragma once

#include <optional>
#include <span>

#include "refserver/exit_code.hpp"

namespace refserver {

struct OtherCommand {
  const char* name;
  const char* help;  ///< one line
  ExitCode (*run)(int argc, const char* const* argv);
};

std::span<const OtherCommand> other_commands();

/// Runs the one that argv[1] names; nothing when it names none of them.
std::optional<ExitCode> run_other_command(int argc, const char* const* argv);

}  // namespace refserver
