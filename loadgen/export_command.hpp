// `loadgen export`: what a run kept in files goes to where it should have gone, or into a table.
#pragma once

#include <filesystem>
#include <optional>

#include "exporters/influx_target.hpp"
#include "loadgen/exit_code.hpp"

namespace loadgen {

/// What of a run directory is sent.
enum class ExportFrom : std::uint8_t {
  automatic,  ///< the spill file if there is one, else the points
  spill,
  points,
  requests,  ///< llm_request points made from requests.jsonl
};

struct ExportCommand {
  std::filesystem::path input;  ///< a run directory or one of its files
  ExportFrom from = ExportFrom::automatic;
  std::optional<exporters::InfluxTarget> influx;
  std::optional<std::filesystem::path> csv;  ///< write requests.jsonl there as a table
  bool is_quiet = false;
};

/// Prints progress and the account. 0 everything is where it should be, 5 not all points were stored, 65 there is
/// nothing of the kind in the input, 73 the table exists already, 1 whatever else.
ExitCode run_export(const ExportCommand& command);

}  // namespace loadgen
