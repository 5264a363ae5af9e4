// The flags that name an InfluxDB, the same for every command that writes into one.
#pragma once

#include <optional>
#include <string>

#include "exporters/influx_target.hpp"
#include "loadgen/result.hpp"

namespace CLI {
class App;
}

namespace loadgen {

/// As text, the way they were given.
struct InfluxFlags {
  std::optional<std::string> url, credentials, api, organisation, retention_policy, gzip;
};

/// `flags` outlives the parsing.
void add_influx_flags(CLI::App& app, InfluxFlags& flags, const char* group);

/// Judges the flags and adds credentials from the environment or the file; prints a warning if others can read that.
/// Nothing without --influx. The error is one line that begins with the flag it is about.
Result<std::optional<exporters::InfluxTarget>, std::string> read_influx_flags(const InfluxFlags& flags);

}  // namespace loadgen
