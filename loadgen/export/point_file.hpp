// Points that were kept in a file, read back in batches: line protocol as it is, or made anew from request lines. A
// file may be anything; what is no point of ours goes out as it is, and the database says what it thinks of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>

#include "exporters/sink.hpp"
#include "loadgen/export/points.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// Where the record that begins at `from` ends, behind its line feed; npos if `text` does not hold all of it. A line
/// feed inside a quoted field value belongs to the value.
std::size_t point_end(std::string_view text, std::size_t from);

class PointSource {
 public:
  virtual ~PointSource() = default;
  /// The next records, a megabyte or so; none at the end. The error names the file, the place and what is wrong.
  virtual Result<exporters::Batch, std::string> next() = 0;
  /// From 0 to 1.
  virtual double progress() const = 0;
};

/// A file of line protocol. Empty lines and comments are left out.
Result<std::unique_ptr<PointSource>, std::string> open_point_file(const std::filesystem::path& path);

/// The llm_request points of a requests.jsonl, with the facts of the run that are in shard.json beside it: the same
/// points, byte for byte, as the run's own.
Result<std::unique_ptr<PointSource>, std::string> open_request_file(const std::filesystem::path& path);

}  // namespace loadgen
