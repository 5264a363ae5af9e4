// The server's configuration: a file (YAML or JSON), TGI's environment variables and flags, through one table of
// fields, into one checked struct.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "refserver/api/model_info.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/engine/simulated_engine.hpp"
#include "refserver/exit_code.hpp"
#include "refserver/http/options.hpp"

namespace refserver {

/// What was asked of the scheduler, under TGI's names; empty where it is to choose.
struct SchedulerSettings {
  std::optional<std::uint32_t> max_batch_prefill_tokens;  ///< tokens computed in one step
  std::optional<std::uint64_t> max_batch_total_tokens;    ///< tokens held for all requests together
  std::optional<std::uint32_t> max_batch_size;            ///< requests that run together
  double waiting_served_ratio = 0.3;                      ///< only without chunking
  std::uint32_t max_waiting_tokens = 20;                  ///< only without chunking
  bool has_prefill_chunking = true;
  bool has_prefix_caching = true;
};

struct ServerConfig {
  HttpOptions http;
  RequestLimits limits;
  SchedulerSettings scheduler;
  std::vector<ModelInfo> models;
  std::vector<std::string> folders;  ///< one per model: its checkpoint; empty: none
  std::vector<SimTiming> timings;    ///< one per model
  std::optional<SimStall> stall;
  std::string truth_log;           ///< path; empty: none
  std::vector<std::string> notes;  ///< to be said at start: flags and variables that were accepted and have no effect
};

/// What the command line asks for: a server, or nothing more (help or a usage error was printed).
struct CommandLine {
  std::optional<ServerConfig> serve;
  ExitCode code = ExitCode::ok;
};

/// Parses argv, the environment and the config file. The file counts least, flags most. Errors go to stderr and name
/// the flag, the variable, or file, line and field.
CommandLine parse_command_line(int argc, const char* const* argv);

}  // namespace refserver
