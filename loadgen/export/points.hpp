// A run as InfluxDB points: the bytes of points.lp and of what an InfluxDB gets are the same. Durations in seconds. The
// measurements, tags and fields are listed in docs/points.md. Renders only; knows no file and no server.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exporters/influx_line.hpp"
#include "exporters/sink.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/run_totals.hpp"

namespace loadgen {

/// What the scenario says of the entry a request belongs to.
struct EntryWords {
  std::string_view entry, scenario, route, target, model;
};

class PointRenderer {
 public:
  /// `scenario` must outlive the renderer.
  explicit PointRenderer(const Scenario& scenario) : scenario_(scenario) {}

  /// llm_request of every row, llm_interval of every entry, llm_load, and llm_hdr of the measured population.
  void append_interval(exporters::Batch& batch, const RunFacts& facts, const Interval& interval);

  /// llm_request alone.
  void append_request(exporters::Batch& batch, const RunFacts& facts, const EntryWords& words, const RequestRow& row);

  /// llm_event; `config` is left out when empty.
  void append_event(exporters::Batch& batch, const RunFacts& facts, std::int64_t at_ns, const std::string& kind,
                    const std::string& text, const std::string& config = "");

  /// exporter: the account of one sink as it was before this point was offered to it.
  void append_account(exporters::Batch& batch, const RunFacts& facts, std::int64_t at_ns, const std::string& exporter,
                      const exporters::SinkAccount& account);

 private:
  void append_entry(exporters::Batch& batch, const RunFacts& facts, const Interval& interval, std::size_t entry);
  void append_load(exporters::Batch& batch, const RunFacts& facts, const Interval& interval);
  void append_histograms(exporters::Batch& batch, const RunFacts& facts, const Interval& interval, std::size_t entry);

  const Scenario& scenario_;
  exporters::UniqueClock request_clock_, event_clock_, account_clock_;
};

}  // namespace loadgen
