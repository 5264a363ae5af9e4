// Who is told what happens in a run while it lasts.
#pragma once

#include <cstdint>
#include <string>

#include "loadgen/export/progress.hpp"
#include "loadgen/record/interval.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// Told on the conductor's thread.
class RunListener {
 public:
  virtual ~RunListener() = default;
  virtual void on_interval(const RunFacts& facts, const Interval& interval) = 0;
  virtual void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind,
                        const std::string& text) = 0;
  virtual void on_progress(const ProgressSnapshot& snapshot) = 0;
  /// Every ten seconds: what would be left if the process were killed now.
  virtual void on_checkpoint(const RunTotals& totals) = 0;
};

}  // namespace loadgen
