// The once-a-second side of a run: takes what the lanes recorded, adds it to the totals, tells the listener. Knows when
// a phase is over, and not why.
#pragma once

#include <cstdint>
#include <memory>

#include "loadgen/lanes.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/run_listener.hpp"

namespace loadgen {

class Collector {
 public:
  /// References outlive the collector; `lanes` has at least one lane.
  Collector(const Scenario& scenario, Lanes& lanes, RunTotals& totals, RunListener& listener);

  /// The load begins at `start_ns`.
  void begin(std::int64_t start_ns);
  /// When to collect next: the next whole second, or the edge of the window if that comes first: an interval never
  /// straddles one.
  std::int64_t next_boundary(const RunControl& control) const;
  /// Ends an interval of this phase at `boundary_ns`.
  void collect(std::int64_t boundary_ns, Phase phase);
  /// Lets the listener write down what would be left of a shard if it were lost; every ten seconds.
  void checkpoint_if_due(std::int64_t boundary_ns);
  /// Tells the listener how far the run is.
  void show_progress(std::int64_t now, Phase phase, std::int64_t phase_begin_ns);

 private:
  void note_latencies();
  void note_rates();

  const Scenario& scenario_;
  Lanes& lanes_;
  RunTotals& totals_;
  RunListener& listener_;
  std::unique_ptr<Interval> merged_;
  ProgressSnapshot snapshot_;
  std::int64_t start_ns_ = 0;
  std::int64_t last_boundary_ns_ = 0;
  std::int64_t next_checkpoint_ns_ = 0;
  std::uint64_t sent_at_collect_ = 0, tokens_at_collect_ = 0;
};

}  // namespace loadgen
