#include "loadgen/export/statsd_export.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "exporters/udp_sink.hpp"

namespace loadgen {
namespace {

using exporters::Batch;
using exporters::StatsdFormat;
using exporters::StatsdScope;

/// So many values of a metric per second go out as timers at most; percentiles of all of them go out as gauges.
constexpr std::size_t timers_per_second = 100;

constexpr Metric with_timers[] = {Metric::ttft, Metric::tpot, Metric::e2e};
constexpr Metric with_percentiles[] = {Metric::ttft,      Metric::tpot, Metric::e2e,      Metric::ttft_sched,
                                       Metric::e2e_sched, Metric::icl,  Metric::lateness, Metric::ttfo};

/// The place of the generator's own gauges, where a target would stand.
constexpr std::string_view generator_word = "generator";

/// Without what every target has, so that names stay readable.
std::string without_scheme(const std::string& url) {
  const std::size_t end = url.find("://");
  return end == std::string::npos ? url : url.substr(end + 3);
}

void append_counts(Batch& batch, const StatsdScope& scope, const EntryTally& tally) {
  exporters::append_statsd_counter(batch, scope, "sent", tally.started);
  std::uint64_t total = 0;
  std::string name;
  for (std::size_t outcome = 0; outcome < outcome_count; ++outcome) {
    std::uint64_t ended = 0;
    for (const auto& phase : tally.ended) ended += phase[outcome];
    name.assign("requests.").append(label(static_cast<Outcome>(outcome)));
    exporters::append_statsd_counter(batch, scope, name, ended);
    total += ended;
  }
  exporters::append_statsd_counter(batch, scope, "requests.total", total);
  exporters::append_statsd_counter(batch, scope, "tokens.input", tally.all_input_tokens);
  exporters::append_statsd_counter(batch, scope, "tokens.output", tally.all_output_tokens);
}

void append_tally(Batch& batch, const StatsdScope& scope, const EntryTally& tally) {
  append_counts(batch, scope, tally);
  exporters::append_statsd_gauge(batch, scope, "in_flight", tally.in_flight);
  for (const Metric metric : with_timers)
    exporters::append_statsd_timers(batch, scope, label(metric), tally[metric], timers_per_second);
  for (const Metric metric : with_percentiles)
    exporters::append_statsd_percentiles(batch, scope, label(metric), tally[metric]);
}

class StatsdExport final : public RunExport {
 public:
  StatsdExport(std::unique_ptr<exporters::Sink> sink, const StatsdOutput& output, const Scenario& scenario)
      : scenario_(scenario), renderer_(scenario_, output.format, output.prefix), sink_(std::move(sink)) {}

  void on_interval(const Scenario&, const RunFacts& facts, const Interval& interval) override {
    Batch batch;
    renderer_.append_interval(batch, facts, interval);
    sink_->write(std::move(batch));
  }
  void on_event(const RunFacts&, std::int64_t, const std::string&, const std::string&) override {}
  void on_checkpoint(const Scenario&, const RunTotals&) override {}

  Result<void, std::string> finish(const Scenario&, const RunTotals& totals, const Observations&,
                                   Summary& summary) override {
    Batch batch;
    renderer_.append_end(batch, totals.facts);
    sink_->write(std::move(batch));
    const exporters::SinkAccount account = sink_->finish();
    summary.exporters["statsd"] = to_account(account);
    if (account.stored != account.offered)
      summary.warnings.push_back(fmt::format("StatsD, {}: {} of {} lines sent, {} lost: {}", sink_->describe(),
                                             account.stored, account.offered, account.dropped, account.first_error));
    return {};
  }

  std::map<std::string, ExportAccount> accounts() const override { return {{"statsd", to_account(sink_->account())}}; }

 private:
  static ExportAccount to_account(const exporters::SinkAccount& account) {
    return {account.offered,     account.stored,
            account.rejected,    account.spilled,
            account.dropped,     "",
            account.first_error, true};
  }

  Scenario scenario_;  ///< a copy: the renderer keeps a reference
  StatsdRenderer renderer_;
  std::unique_ptr<exporters::Sink> sink_;
};

}  // namespace

StatsdRenderer::StatsdRenderer(const Scenario& scenario, StatsdFormat format, std::string prefix)
    : scenario_(scenario), format_(format), prefix_(std::move(prefix)) {
  for (const MixEntry& entry : scenario.mix)
    if (std::find(targets_.begin(), targets_.end(), entry.target.url) == targets_.end())
      targets_.push_back(entry.target.url);
}

void StatsdRenderer::make_scopes(const RunFacts& facts) {
  if (!scopes_.empty()) return;
  const auto scope = [&](const exporters::Labels& labels) {
    return exporters::make_statsd_scope(format_, prefix_, labels, exporters::StatsdPlace::in_front);
  };
  if (format_ == StatsdFormat::plain) {
    std::vector<std::string> shown;
    for (const std::string& target : targets_) shown.push_back(without_scheme(target));
    for (const std::string& word : exporters::distinct_statsd_words(shown, {std::string(generator_word)}))
      scopes_.push_back(scope({{"run", facts.run_id}, {"target", word}}));
    generator_ = scope({{"run", facts.run_id}, {"target", std::string(generator_word)}});
    return;
  }
  for (const MixEntry& entry : scenario_.mix)
    scopes_.push_back(scope({{"run", facts.run_id},
                             {"target", without_scheme(entry.target.url)},
                             {"model", entry.model},
                             {"entry", entry.name},
                             {"scenario", entry.scenario}}));
  generator_ = exporters::make_statsd_scope(format_, fmt::format("{}.{}", prefix_, generator_word),
                                            {{"run", facts.run_id}}, exporters::StatsdPlace::in_front);
}

std::size_t StatsdRenderer::scope_of(std::size_t entry) const {
  if (format_ != StatsdFormat::plain) return entry;
  const std::string& url = scenario_.mix.at(entry).target.url;
  return static_cast<std::size_t>(std::find(targets_.begin(), targets_.end(), url) - targets_.begin());
}

void StatsdRenderer::append_interval(Batch& batch, const RunFacts& facts, const Interval& interval) {
  make_scopes(facts);
  std::vector<EntryTally> tallies(scopes_.size());
  for (std::size_t i = 0; i < interval.entries.size(); ++i) tallies[scope_of(i)].add(interval.entries[i]);
  for (std::size_t i = 0; i < tallies.size(); ++i) append_tally(batch, scopes_[i], tallies[i]);
  const GeneratorHealth& health = interval.health;
  if (health.wall_ns > 0)
    exporters::append_statsd_gauge(batch, generator_, "cpu_share",
                                   static_cast<double>(health.cpu_ns) / static_cast<double>(health.wall_ns));
  if (const auto lag_ms = health.loop_lag.percentile_ms(0.99))
    exporters::append_statsd_gauge(batch, generator_, "loop_lag_p99", *lag_ms);
}

void StatsdRenderer::append_end(Batch& batch, const RunFacts& facts) {
  make_scopes(facts);
  for (const StatsdScope& scope : scopes_) exporters::append_statsd_gauge(batch, scope, "in_flight", 0);
  exporters::append_statsd_gauge(batch, generator_, "cpu_share", 0);
  exporters::append_statsd_gauge(batch, generator_, "loop_lag_p99", 0);
}

Result<std::unique_ptr<RunExport>, std::string> open_statsd_export(const StatsdOutput& output,
                                                                   const Scenario& scenario) {
  auto sink = exporters::open_udp_sink(output.where);
  if (!sink) return "--statsd: " + sink.error();
  return std::unique_ptr<RunExport>(std::make_unique<StatsdExport>(std::move(*sink), output, scenario));
}

}  // namespace loadgen
