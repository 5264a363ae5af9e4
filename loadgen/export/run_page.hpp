// What a run's /metrics page says: counters and histograms added up from its seconds, gauges of the last one. Values
// only; knows no socket. All names: docs/live.md.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "exporters/metrics/sample.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

class RunPage {
 public:
  /// `scenario` must outlive the page.
  explicit RunPage(const Scenario& scenario);

  /// The run has a name: from here on every counter is there, at first as 0. Calling it again is harmless.
  void begin(const RunFacts& facts);
  void add(const RunFacts& facts, const Interval& interval);
  void set_accounts(std::map<std::string, ExportAccount> accounts) { accounts_ = std::move(accounts); }
  /// The run is over: what was true of a moment goes, the final verdict about the generator stays.
  void end(const Summary& summary);

  bool has_ended() const noexcept { return has_ended_; }

  /// Families in a fixed order, those without a sample left out.
  std::vector<exporters::MetricFamily> families() const;

 private:
  struct EntrySeries {
    exporters::Labels labels;
    std::uint64_t sent = 0, input_tokens = 0, output_tokens = 0;
    std::array<std::uint64_t, outcome_count> ended{};
    std::vector<exporters::HistogramSnapshot> latency;  ///< in the order of `shown_`
    std::uint32_t in_flight = 0;
  };

  Health judge_so_far(const RunFacts& facts, const Interval& interval);
  void append_counters(std::vector<exporters::MetricFamily>& out) const;
  void append_histograms(std::vector<exporters::MetricFamily>& out) const;
  void append_gauges(std::vector<exporters::MetricFamily>& out) const;
  void append_verdict(std::vector<exporters::MetricFamily>& out) const;
  void append_accounts(std::vector<exporters::MetricFamily>& out) const;

  const Scenario& scenario_;
  std::vector<Metric> shown_;  ///< those that the kind of load has
  std::string run_;            ///< empty: not begun
  std::vector<EntrySeries> entries_;
  std::map<std::string, ExportAccount> accounts_;
  Phase phase_ = Phase::warmup;
  std::optional<double> cpu_share_, loop_lag_s_;  ///< of the last second
  std::optional<Health> verdict_;                 ///< absent in warm-up
  EntryTally measured_;                           ///< all entries added up, for the verdict
  RunTotals so_far_;                              ///< facts and health, for the verdict
  std::int64_t cpu_ns_ = 0, wall_ns_ = 0;         ///< of the busiest thread of each second of the window
  bool has_ended_ = false;
};

}  // namespace loadgen
