// The per-second files of several shards as one: HDR logs added interval by interval, request lines one after another.
// Reads and writes a line at a time, however long the run was.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/metrics/hdr_histogram.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/result.hpp"

namespace loadgen {

/// Called for every line written: start in milliseconds from the start of the plan, tag, histogram.
using MergedLine = std::function<void(std::int64_t start_ms, const std::string& tag, const exporters::HdrHistogram&)>;

/// Adds HDR logs whose intervals are counted from a common start. The error names the file and line.
Result<void, std::string> merge_hdr_logs(const std::vector<std::filesystem::path>& logs,
                                         const std::filesystem::path& out, const RunFacts& facts,
                                         const MergedLine& on_line);

/// A request file and the shard whose it is.
struct RequestFile {
  std::filesystem::path path;
  std::uint32_t shard = 0;
};

/// Request lines of all shards in one file, each beginning with its shard; stamps stay those of its machine's clock.
Result<void, std::string> join_request_lines(const std::vector<RequestFile>& files, const std::filesystem::path& out);

/// Percentiles of each second of the series from the lines of the merged run.hlog.
class SeriesPercentiles {
 public:
  explicit SeriesPercentiles(RunTotals& totals);
  void add(std::int64_t start_ms, const std::string& tag, const exporters::HdrHistogram& values);

 private:
  RunTotals& totals_;
  std::vector<std::pair<std::int64_t, std::size_t>> rows_;  ///< start in ms, position in the series; ascending
};

}  // namespace loadgen
