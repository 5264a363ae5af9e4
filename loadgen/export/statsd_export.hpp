// A run as StatsD sees it: counters, exact percentiles and some of the latencies, once a second. Plain names are
// PREFIX.<run>.<target>.<metric>; the other dialects have PREFIX.<metric> and tags. All names: docs/live.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exporters/sink.hpp"
#include "exporters/statsd.hpp"
#include "loadgen/export/live_options.hpp"
#include "loadgen/export/run_export.hpp"

namespace loadgen {

/// The lines of one run; knows no socket.
class StatsdRenderer {
 public:
  /// `scenario` must outlive the renderer.
  StatsdRenderer(const Scenario& scenario, exporters::StatsdFormat format, std::string prefix);

  /// What one second brought. In plain names the entries of one target are added up.
  void append_interval(exporters::Batch& batch, const RunFacts& facts, const Interval& interval);

  /// The gauges of a run that is over, as zeros: daemons repeat the last value they were told.
  void append_end(exporters::Batch& batch, const RunFacts& facts);

 private:
  void make_scopes(const RunFacts& facts);
  std::size_t scope_of(std::size_t entry) const;

  const Scenario& scenario_;
  exporters::StatsdFormat format_;
  std::string prefix_;
  std::vector<std::string> targets_;            ///< distinct URLs, in the order of the mix
  std::vector<exporters::StatsdScope> scopes_;  ///< of each target (plain) or entry; empty until the first interval
  exporters::StatsdScope generator_;
};

/// Resolves the name; nobody needs to listen there yet. Its account in summary.json is called `statsd`.
Result<std::unique_ptr<RunExport>, std::string> open_statsd_export(const StatsdOutput& output,
                                                                   const Scenario& scenario);

}  // namespace loadgen
