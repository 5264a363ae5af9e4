// One worker's recorder: turns each ended request into counters and distributions of the current interval. Used by one
// thread, no lock, no I/O; the controller takes the interval away by a task posted to that thread.
#pragma once

#include <memory>
#include <vector>

#include "exporters/metrics/interval_recorder.hpp"
#include "loadgen/drive/worker.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/interval.hpp"

namespace loadgen {

class Recorder final : public WorkerObserver {
 public:
  /// `scenario` and `control` outlive the recorder.
  /// Of the measured requests the `slowest` slowest of each interval are kept whole.
  Recorder(const Scenario& scenario, const RunControl& control, RecordLevel level, std::uint32_t slowest = 0);

  void on_start(std::uint32_t entry) override;
  void on_request(const RequestRecord& record) override;
  void on_read(const Arrival& arrival) override;
  void on_loop_lag(std::int64_t lag_ns) override;

  /// Hands over what has been recorded since the last swap; `spare` (empty) takes its place.
  std::unique_ptr<Interval> swap(std::unique_ptr<Interval> spare);

  /// An empty interval of the right shape.
  std::unique_ptr<Interval> make_interval() const;

 private:
  Window window() const noexcept;
  void count_in_window(const RequestRecord& record, const Window& window, EntryTally& tally) const;
  void record_measured(const RequestRecord& record, const RequestMetrics& metrics, EntryTally& tally);
  void record_censored(const RequestRecord& record, EntryTally& tally) const;
  void record_gaps(const RequestRecord& record, EntryTally& tally);

  const Scenario& scenario_;
  const RunControl& control_;
  RecordLevel level_;
  std::uint32_t slowest_limit_;
  LoopKind loop_;
  std::vector<std::uint32_t> in_flight_;  ///< by entry
  exporters::IntervalRecorder<Interval> current_;
  std::vector<GapValue> gaps_;
};

}  // namespace loadgen
