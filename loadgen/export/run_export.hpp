// Everything a run leaves behind: the run directory's files and the databases it streams to. Called by the controller
// thread once a second and at the end; nothing here is called by an I/O thread.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exporters/influx_target.hpp"
#include "loadgen/export/grafana_links.hpp"
#include "loadgen/export/live_options.hpp"
#include "loadgen/observe/reading.hpp"
#include "loadgen/plan/scenario.hpp"
#include "loadgen/record/interval.hpp"
#include "loadgen/record/run_totals.hpp"
#include "loadgen/result.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen {

struct ExportOptions {
  std::filesystem::path out_dir;  ///< created if missing; refuses one that already holds a summary.json
  RecordLevel record = RecordLevel::all;
  std::optional<exporters::InfluxTarget> influx;
  std::optional<GrafanaUrl> grafana_url;  ///< where the dashboards are
  LiveOptions live;                       ///< further places, opened by open_all_exports()
};

class RunExport {
 public:
  virtual ~RunExport() = default;

  /// One second of the run (merged over the workers): HDR log lines, points, request lines.
  virtual void on_interval(const Scenario& scenario, const RunFacts& facts, const Interval& interval) = 0;

  /// What was read of GPUs and servers since the last call. Called about once a second in a run that looks at any.
  virtual void on_observed(const RunFacts&, const std::vector<SubjectReading>&) {}

  /// A phase change, the start, an interrupt, the end: an llm_event point.
  virtual void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind,
                        const std::string& text) = 0;

  /// What there is so far, in case the run does not get to its end: a shard.part.json. Called every ten seconds or so.
  virtual void on_checkpoint(const Scenario& scenario, const RunTotals& totals) = 0;

  /// Drains every exporter (bounded wait), fills `summary.exporters`, then writes summary.json and report.html.
  /// The error names the file and the cause.
  virtual Result<void, std::string> finish(const Scenario& scenario, const RunTotals& totals,
                                           const Observations& observations, Summary& summary) = 0;

  /// What became so far of what each exporter was given, by its name in summary.json.
  virtual std::map<std::string, ExportAccount> accounts() const { return {}; }
};

/// Opens files and checks databases before the first request is sent. The error is one line for the user.
Result<std::unique_ptr<RunExport>, std::string> make_run_export(const ExportOptions& options, const Scenario& scenario);

}  // namespace loadgen
