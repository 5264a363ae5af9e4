// Everything the command line can say, as text, and the flags that say it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "loadgen/cli_export_command.hpp"
#include "loadgen/cli_exports.hpp"
#include "loadgen/plan/scenario_file.hpp"

namespace CLI {
class App;
}

namespace loadgen {

/// Everything argv can say, as text.
struct Arguments {
  std::optional<std::string> file;
  ScenarioFlags flags;
  std::optional<std::string> out, record;
  ExportCommandFlags export_command;
  ExportFlags exports;
  std::optional<std::string> shard, start_at, start_file, truth, slowest;
  std::optional<std::string> server, true_ttft, true_gap;
  std::vector<std::string> merged;
  std::optional<std::string> grafana_url;  // of a merge; a run has it among its exports
  bool allow_degraded = false;
  bool quiet = false, dry_run = false;
  std::optional<std::string> probe_target, probe_timeout;
  std::vector<std::string> probe_models, probe_scenarios;
};

/// Adds every command with its flags, which write into `arguments`; it outlives `app`.
void add_commands(CLI::App& app, Arguments& arguments);

}  // namespace loadgen
