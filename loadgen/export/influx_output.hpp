// The InfluxDB that a command writes to: looked at first, then opened.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "exporters/influx_target.hpp"
#include "exporters/sink.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

struct InfluxOutput {
  std::unique_ptr<exporters::Sink> sink;
  std::vector<std::string> notes;  ///< what could not be checked, for people
};

/// Creates the database if need be, checks permissions and field types; stores nothing. `spill_file`: where
/// undeliverable points go; empty: nowhere. The error is one line that says what to do.
Result<InfluxOutput, std::string> open_influx_output(const exporters::InfluxTarget& target,
                                                     const std::filesystem::path& spill_file);

}  // namespace loadgen
