#include "loadgen/export/run_export.hpp"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

#include "exporters/file_sink.hpp"
#include "loadgen/export/database_count.hpp"
#include "loadgen/export/grafana_links.hpp"
#include "loadgen/export/hdr_logs.hpp"
#include "loadgen/export/influx_output.hpp"
#include "loadgen/export/observed_json.hpp"
#include "loadgen/export/observed_points.hpp"
#include "loadgen/export/points.hpp"
#include "loadgen/export/report.hpp"
#include "loadgen/export/report_data.hpp"
#include "loadgen/export/request_line.hpp"
#include "loadgen/export/run_directory.hpp"
#include "loadgen/export/scenario_json.hpp"
#include "loadgen/export/shard_file.hpp"
#include "loadgen/export/slowest_lines.hpp"
#include "loadgen/export/summary_json.hpp"

namespace loadgen {
namespace {

using exporters::Batch;
using exporters::Sink;
using exporters::SinkAccount;

constexpr std::int64_t account_every_ns = 10'000'000'000;
constexpr auto settle_limit = std::chrono::seconds(5);

/// A place that bytes go to, under its name in summary.json; closed when `sink` is empty.
struct Output {
  std::string name;
  std::string file;        ///< in the run directory; empty for a database
  std::string spill_file;  ///< where a database's undeliverable points go
  std::unique_ptr<Sink> sink;

  void write(const Batch& batch) const {
    if (sink && !batch.empty()) sink->write(batch);
  }
};

ExportAccount to_account(const Output& output, const SinkAccount& account) {
  return {account.offered,    account.stored,  account.rejected,
          account.spilled,    account.dropped, account.spilled > 0 ? output.spill_file : "",
          account.first_error};
}

class DirectoryExport final : public RunExport {
 public:
  DirectoryExport(const ExportOptions& options, const Scenario& scenario)
      : dir_(options.out_dir), scenario_(scenario), grafana_url_(options.grafana_url), renderer_(scenario_) {}

  Result<void, std::string> open_files(RecordLevel record);
  Result<void, std::string> open_influx(const ExportOptions& options);

  void on_interval(const Scenario& scenario, const RunFacts& facts, const Interval& interval) override;
  void on_observed(const RunFacts& facts, const std::vector<SubjectReading>& readings) override;
  void on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind, const std::string& text) override;
  void on_checkpoint(const Scenario& scenario, const RunTotals& totals) override;
  Result<void, std::string> finish(const Scenario& scenario, const RunTotals& totals, const Observations& observations,
                                   Summary& summary) override;
  std::map<std::string, ExportAccount> accounts() const override;

 private:
  Result<void, std::string> write_results(const RunTotals& totals, const Observations& observations,
                                          const Summary& summary);
  Result<void, std::string> open_file(Output& output);
  void begin_logs(const RunFacts& facts);
  void write_points(const Batch& batch);
  bool has_points() const { return points_.sink || influx_.sink; }
  void append_accounts(Batch& batch, const RunFacts& facts, std::int64_t at_ns);
  void write_judgement(const RunFacts& facts, const Summary& summary);
  void settle_points() const;
  void close_outputs(Summary& summary);
  void count_stored(const RunFacts& facts, Summary& summary) const;
  std::vector<std::string> file_names(const Summary& summary) const;

  std::filesystem::path dir_;
  Scenario scenario_;  ///< a copy: the renderer keeps a reference
  std::optional<GrafanaUrl> grafana_url_;
  PointRenderer renderer_;
  Output requests_{"requests_jsonl", std::string(run_file::requests), "", nullptr};
  Output run_hlog_{"run_hlog", std::string(run_file::run_hlog), "", nullptr};
  Output mix_hlog_{"mix_hlog", std::string(run_file::mix_hlog), "", nullptr};
  Output points_{"points_lp", std::string(run_file::points), "", nullptr};
  Output influx_{"influx", "", std::string(run_file::influx_spill), nullptr};
  std::optional<exporters::InfluxTarget> influx_target_;
  std::vector<std::string> influx_notes_;  ///< what its pre-flight could not check
  PointTally influx_tally_;                ///< of what it was offered
  bool logs_begun_ = false;
  bool has_slowest_ = false;
  std::int64_t next_account_ns_ = 0;  ///< 0 until the first interval
};

Result<void, std::string> DirectoryExport::open_file(Output& output) {
  auto sink = exporters::open_file_sink(dir_ / output.file, exporters::FileMode::truncate);
  if (!sink) return sink.error();
  output.sink = std::move(*sink);
  return {};
}

Result<void, std::string> DirectoryExport::open_files(RecordLevel record) {
  std::vector<Output*> outputs = {&run_hlog_, &mix_hlog_};
  if (record == RecordLevel::all) outputs.insert(outputs.end(), {&requests_, &points_});
  for (Output* output : outputs)
    if (auto opened = open_file(*output); !opened) return opened;
  return {};
}

Result<void, std::string> DirectoryExport::open_influx(const ExportOptions& options) {
  if (!options.influx) return {};
  auto opened = open_influx_output(*options.influx, dir_ / influx_.spill_file);
  if (!opened) return opened.error();
  influx_target_ = options.influx;
  influx_.sink = std::move(opened->sink);
  influx_notes_ = std::move(opened->notes);
  return {};
}

void DirectoryExport::begin_logs(const RunFacts& facts) {
  if (std::exchange(logs_begun_, true)) return;
  Batch header{hdr_logs_header(facts), {}};
  header.end_record();
  run_hlog_.write(header);
  mix_hlog_.write(header);
}

void DirectoryExport::write_points(const Batch& batch) {
  points_.write(batch);
  influx_.write(batch);
  if (influx_.sink) influx_tally_.add(batch);
}

void DirectoryExport::append_accounts(Batch& batch, const RunFacts& facts, std::int64_t at_ns) {
  for (const Output* output : {&points_, &influx_})
    if (output->sink) renderer_.append_account(batch, facts, at_ns, output->name, output->sink->account());
}

void DirectoryExport::on_interval(const Scenario&, const RunFacts& facts, const Interval& interval) {
  begin_logs(facts);
  Batch batch;
  append_run_hlog(batch, facts, interval);
  run_hlog_.write(batch);
  batch.clear();
  append_mix_hlog(batch, scenario_, facts, interval);
  mix_hlog_.write(batch);

  if (requests_.sink) {
    batch.clear();
    for (const RequestRow& row : interval.rows) {
      append_request_line(batch.bytes, scenario_, row);
      batch.end_record();
    }
    requests_.write(batch);
  }
  if (!has_points()) return;
  batch.clear();
  renderer_.append_interval(batch, facts, interval);
  if (next_account_ns_ == 0) next_account_ns_ = interval.begin_ns + account_every_ns;
  if (interval.end_ns >= next_account_ns_) {
    append_accounts(batch, facts, interval.end_ns);
    next_account_ns_ += account_every_ns;
  }
  write_points(batch);
}

void DirectoryExport::on_observed(const RunFacts& facts, const std::vector<SubjectReading>& readings) {
  if (!has_points()) return;
  Batch batch;
  append_observed(batch, facts, readings);
  write_points(batch);
}

void DirectoryExport::on_event(const RunFacts& facts, std::int64_t at_ns, const std::string& kind,
                               const std::string& text) {
  begin_logs(facts);
  if (!has_points()) return;
  Batch batch;
  const std::string config = kind == "start" ? render_json_line(scenario_document(scenario_)) : "";
  renderer_.append_event(batch, facts, at_ns, kind, text, config);
  write_points(batch);
}

/// What came out, as the last two events of the run: dashboards show it beside the numbers.
void DirectoryExport::write_judgement(const RunFacts& facts, const Summary& summary) {
  std::string validity = label(summary.validity.status);
  for (const std::string& reason : summary.validity.reasons)
    validity += (&reason == &summary.validity.reasons.front() ? ": " : "; ") + reason;
  Batch batch;
  renderer_.append_event(batch, facts, facts.mono_end_ns, "validity", validity, "");
  renderer_.append_event(batch, facts, facts.mono_end_ns, "verdict", label(summary.verdict), "");
  write_points(batch);
}

/// Waits until what was offered has arrived or been given up, so that the last account says something.
void DirectoryExport::settle_points() const {
  const auto deadline = std::chrono::steady_clock::now() + settle_limit;
  while (influx_.sink && !influx_.sink->account().is_settled() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
}

std::map<std::string, ExportAccount> DirectoryExport::accounts() const {
  std::map<std::string, ExportAccount> all;
  for (const Output* output : {&requests_, &run_hlog_, &mix_hlog_, &points_, &influx_})
    if (output->sink) all[output->name] = to_account(*output, output->sink->account());
  return all;
}

void DirectoryExport::close_outputs(Summary& summary) {
  for (const Output* output : {&requests_, &run_hlog_, &mix_hlog_, &points_, &influx_}) {
    if (!output->sink) continue;
    const SinkAccount account = output->sink->finish();
    summary.exporters[output->name] = to_account(*output, account);
    if (account.stored == account.offered) continue;
    summary.warnings.push_back(fmt::format("{}: {} of {} records stored ({} rejected, {} spilled, {} dropped): {}",
                                           output->sink->describe(), account.stored, account.offered, account.rejected,
                                           account.spilled, account.dropped, account.first_error));
  }
}

/// Asks the database itself whether the account is true.
void DirectoryExport::count_stored(const RunFacts& facts, Summary& summary) const {
  if (!influx_target_) return;
  for (const std::string& note : influx_notes_) summary.warnings.push_back(note);
  const SinkAccount account = influx_.sink->account();
  DatabaseCount count = count_in_database(*influx_target_, facts, influx_tally_.counts(), account);
  if (!count.not_counted.empty())
    summary.warnings.push_back("InfluxDB: what it holds could not be counted: " + count.not_counted);
  for (const std::string& mismatch : count_mismatches(count, account)) summary.warnings.push_back(mismatch);
  summary.exporters[influx_.name].in_database = std::move(count);
}

std::vector<std::string> DirectoryExport::file_names(const Summary& summary) const {
  std::vector<std::string> names = {std::string(run_file::summary), std::string(run_file::report)};
  for (const Output* output : {&requests_, &points_, &run_hlog_, &mix_hlog_})
    if (output->sink) names.push_back(output->file);
  names.emplace_back(run_file::shard);
  if (has_slowest_) names.emplace_back(run_file::slowest);
  const auto influx = summary.exporters.find(influx_.name);
  if (influx != summary.exporters.end() && !influx->second.spill_file.empty()) names.push_back(influx_.spill_file);
  return names;
}

Result<void, std::string> DirectoryExport::finish(const Scenario&, const RunTotals& totals,
                                                  const Observations& observations, Summary& summary) {
  begin_logs(totals.facts);
  if (grafana_url_) summary.links = grafana_links(*grafana_url_, totals.facts);
  if (has_points()) {
    write_judgement(totals.facts, summary);
    settle_points();
    Batch batch;
    append_accounts(batch, totals.facts, totals.facts.mono_end_ns);
    write_points(batch);
  }
  close_outputs(summary);
  count_stored(totals.facts, summary);
  has_slowest_ = totals.slowest.limit() > 0;
  return write_results(totals, observations, summary);
}

/// The shard last: where it is, all of the result is.
Result<void, std::string> DirectoryExport::write_results(const RunTotals& totals, const Observations& observations,
                                                         const Summary& summary) {
  const auto document = summary_document(scenario_, summary, file_names(summary));
  auto data = report_document(document, scenario_, totals);
  data["observed"] = observed_timelines(summary.observed);
  const std::string report = render_report(data);
  const std::pair<std::string_view, std::string> files[] = {
      {run_file::summary, render_json(document)},
      {run_file::report, report},
      {run_file::slowest, has_slowest_ ? slowest_lines(scenario_, totals.slowest) : ""},
      {run_file::shard, shard_text(make_shard_result(scenario_, totals, observations, summary))}};
  for (const auto& [name, text] : files) {
    if (name == run_file::slowest && !has_slowest_) continue;
    if (auto written = write_whole_file(dir_ / name, text); !written) return written;
  }
  std::error_code ignored;
  std::filesystem::remove(dir_ / run_file::shard_part, ignored);
  return {};
}

void DirectoryExport::on_checkpoint(const Scenario& scenario, const RunTotals& totals) {
  const Summary nothing;
  ShardResult part = make_shard_result(scenario, totals, {}, nothing);
  part.is_complete = false;
  // Losing a checkpoint loses nothing as long as the run gets to its end; the next one says whether it can be written.
  (void)write_whole_file(dir_ / run_file::shard_part, shard_text(part));
}

}  // namespace

Result<std::unique_ptr<RunExport>, std::string> make_run_export(const ExportOptions& options,
                                                                const Scenario& scenario) {
  if (auto prepared = prepare_run_directory(options.out_dir); !prepared) return prepared.error();
  auto made = std::make_unique<DirectoryExport>(options, scenario);
  if (auto opened = made->open_influx(options); !opened) return opened.error();
  if (auto opened = made->open_files(options.record); !opened) return opened.error();
  return std::unique_ptr<RunExport>(std::move(made));
}

}  // namespace loadgen
