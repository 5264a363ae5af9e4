// The server's configuration: a file (YAML or JSON), TGI's environment variables and flags, through one table of
// fields, into one checked struct.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "refserver/api/fault_plan.hpp"
#include "refserver/api/model_info.hpp"
#include "refserver/api/validate.hpp"
#include "refserver/cpu_engine.hpp"
#include "refserver/engine/make_engine.hpp"
#include "refserver/exit_code.hpp"
#include "refserver/http/options.hpp"
#include "refserver/http/statsd_meter.hpp"
#include "refserver/scheduler_settings.hpp"

namespace refserver {

/// What generates: engines that only keep time, or checkpoints on this machine.
enum class EngineSource : std::uint8_t { simulated, cpu };

struct ServerConfig {
  HttpOptions http;
  RequestLimits limits;
  SchedulerSettings scheduler;
  std::vector<ModelInfo> models;
  std::vector<std::string> folders;  ///< one per model: its checkpoint; empty: none
  std::vector<double> weights;       ///< one per model: its share of the device's time
  EngineSource source = EngineSource::simulated;
  CpuSettings cpu;
  std::vector<EngineSettings> engines;        ///< one per model
  std::vector<std::uint64_t> kv_token_bytes;  ///< one per model: what a token of KV cache would take; 0: not known
  std::vector<Stall> stalls;                  ///< of all simulated engines
  std::optional<FaultPlan> faults;            ///< what to do wrong on purpose
  std::string truth_log;                      ///< path; empty: none
  StatsdOptions statsd;
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
