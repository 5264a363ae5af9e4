// The flags that say where a run's numbers go besides its folder, and their reading into ExportOptions.
#pragma once

#include <optional>
#include <string>

#include "loadgen/cli_influx.hpp"
#include "loadgen/export/run_export.hpp"
#include "loadgen/result.hpp"

namespace CLI {
class App;
}

namespace loadgen {

/// As text, the way they were given.
struct ExportFlags {
  InfluxFlags influx;
  std::optional<std::string> grafana_url;
  std::optional<std::string> statsd, statsd_format, statsd_prefix;
  std::optional<std::string> prometheus, metrics_linger;
};

/// `flags` outlives the parsing.
void add_export_flags(CLI::App& app, ExportFlags& flags);

/// Judges the flags, fills in credentials from the environment or files, prints warnings about them. The error is one
/// line that begins with the flag it is about.
Result<void, std::string> read_export_flags(const ExportFlags& flags, ExportOptions& exports);

}  // namespace loadgen
