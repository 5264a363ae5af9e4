// Reads a server's truth log while the server may still be writing it: one JSON line per request, as refserver's
// --truth-log makes them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

#include "loadgen/summarize/truth.hpp"

namespace loadgen {

/// A request of a run in a truth log.
struct TruthEntry {
  std::uint64_t index = 0;  ///< in the plan
  RequestTimes times;
};

/// A line about a request of run `run_id` that ended well: members client_id (`<run_id>-<index>`), recv_ns, achieved_ns
/// (when each token was written) and outcome. Nothing for lines about anything else; `is_damaged` is set for text that
/// is no such line at all.
std::optional<TruthEntry> parse_truth_line(std::string_view line, std::string_view run_id, bool& is_damaged);

class TruthFile {
 public:
  TruthFile(const std::filesystem::path& path, std::string run_id) : file_(path), run_id_(std::move(run_id)) {}

  bool is_open() const { return file_.is_open(); }
  /// Reads the whole lines that have been written since; what it finds goes to `matcher`.
  void read_more(TruthMatcher& matcher);
  std::uint64_t damaged_lines() const noexcept { return damaged_; }

 private:
  std::ifstream file_;
  std::string run_id_;
  std::string line_;  ///< the start of one that is not whole yet
  std::uint64_t damaged_ = 0;
};

}  // namespace loadgen
