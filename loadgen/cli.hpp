// The command line: flags in, one typed command out. Scenario files and flags go through the same validation.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <variant>

#include "loadgen/exit_code.hpp"
#include "loadgen/export/progress.hpp"
#include "loadgen/export/run_export.hpp"
#include "loadgen/export_command.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/plan/shard.hpp"
#include "loadgen/summarize/merge.hpp"

namespace loadgen {

/// `loadgen run`
struct RunCommand {
  Scenario scenario;
  ExportOptions exports;
  ProgressKind progress = ProgressKind::automatic;
  Shard shard;                                      ///< which part of the plan this process sends
  std::optional<std::int64_t> start_at_ns;          ///< common start of all processes, Unix time
  std::optional<std::filesystem::path> start_file;  ///< will say when, instead of `start_at_ns`
  std::optional<std::filesystem::path> truth_file;  ///< the server's own record, to compare with
  bool truth_in_answers = false;                    ///< the server's own record is asked for with each request
  std::uint32_t slowest = 20;                       ///< requests to keep whole
  bool only_show = false;                           ///< --dry-run: print the plan, send nothing
};

/// `loadgen check SCENARIO`: what validation found, ready to print.
struct CheckCommand {
  Scenario scenario;
};

/// `loadgen probe --target URL [--model M ...]`
struct ProbeCommand {
  Scenario scenario;                   ///< its one entry says where to and how, its timeouts how long
  std::vector<std::string> models;     ///< default: qwen2, llama3
  std::vector<std::string> scenarios;  ///< default: qa, summarize, rewrite
};

/// Nothing to run: help or version was printed, or the input was bad (the message is on stderr already).
struct Done {
  ExitCode code = ExitCode::pass;
};

/// `loadgen merge DIR...`
struct MergeCommand {
  std::vector<std::string> directories;
  std::filesystem::path out_dir;
  Degraded degraded = Degraded::leave_open;
  std::optional<GrafanaUrl> grafana_url;  ///< where the dashboards are
};

/// `loadgen doctor [SCENARIO]`
struct DoctorCommand {
  std::optional<Scenario> scenario;
};

/// `loadgen calibrate SCENARIO`
struct CalibrateCommand {
  RunCommand run;
  std::filesystem::path server;  ///< the refserver to start
  std::string ttft, gap;         ///< its true times, as its flags spell them
};

using Command = std::variant<RunCommand, CheckCommand, ProbeCommand, MergeCommand, DoctorCommand, CalibrateCommand,
                             ExportCommand, Done>;

/// Parses argv, reads the scenario file, fills in credentials from the environment or files. Prints help and usage
/// errors itself; never throws for bad input.
Command parse_command_line(int argc, const char* const* argv);

}  // namespace loadgen
