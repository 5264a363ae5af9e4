// The command line of `loadgen export`.
#pragma once

#include <optional>
#include <string>

#include "loadgen/cli_influx.hpp"
#include "loadgen/export_command.hpp"
#include "loadgen/result.hpp"

namespace CLI {
class App;
}

namespace loadgen {

/// `loadgen export`, as text.
struct ExportCommandFlags {
  std::optional<std::string> input, from, csv;
  InfluxFlags influx;
  bool quiet = false;
};

/// Adds the subcommand.
void add_export_command(CLI::App& app, ExportCommandFlags& flags);

/// The error is a line for people, and names the flag where one is to blame.
Result<ExportCommand, std::string> read_export_command(const ExportCommandFlags& flags);

}  // namespace loadgen
