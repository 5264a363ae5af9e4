// The server's configuration: a file (YAML or JSON) and flags, through one table of fields, into one checked struct.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "refserver/api/model_info.hpp"
#include "refserver/engine/simulated_engine.hpp"
#include "refserver/exit_code.hpp"
#include "refserver/http/options.hpp"

namespace refserver {

struct ServerConfig {
  HttpOptions http;
  std::vector<ModelInfo> models;
  std::vector<SimTiming> timings;  ///< one per model
  std::optional<SimStall> stall;
  std::string truth_log;  ///< path; empty: none
};

/// What the command line asks for: a server, or nothing more (help or a usage error was printed).
struct CommandLine {
  std::optional<ServerConfig> serve;
  ExitCode code = ExitCode::ok;
};

/// Parses argv and reads the config file it names. Errors go to stderr and name the flag, or file, line and field.
CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace refserver
