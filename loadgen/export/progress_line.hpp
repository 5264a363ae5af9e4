// One line about where a run is, and when the next plain one is due. Pure; knows no terminal.
#pragma once

#include <string>

#include "loadgen/export/progress.hpp"

namespace loadgen {

enum class ProgressStyle : std::uint8_t {
  bar,    ///< with a bar for the current phase, most important first since terminals cut it off
  plain,  ///< for log files
};

/// Without a line feed.
std::string render_progress_line(const ProgressSnapshot& snapshot, ProgressStyle style);

/// Says which snapshots a log gets: the first one, every change of phase, and one every five seconds.
class PlainCadence {
 public:
  bool is_due(const ProgressSnapshot& snapshot) noexcept;

 private:
  std::optional<Phase> phase_;
  double next_s_ = 0;
};

}  // namespace loadgen
