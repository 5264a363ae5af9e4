// The page of a run tells what its intervals told: counts exactly, percentiles within a bucket, nothing stale at the
// end.
#include "loadgen/export/run_page.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "exporters/prometheus.hpp"
#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using exporters::Counter;
using exporters::Gauge;
using exporters::HistogramSnapshot;
using exporters::MetricFamily;
using exporters::Sample;

std::string value_of(const Sample& sample, const std::string& name) {
  for (const exporters::Label& label : sample.labels)
    if (label.name == name) return label.value;
  return "";
}

struct RunPageTest : testing::Test {
  explicit RunPageTest(bool open = true) : run(make_run(open)), page(run.scenario) {}

  static sample::SimulatedRun make_run(bool open) {
    sample::SimulationOptions options;
    options.open = open;
    options.failure_share = 0.05;
    return sample::Simulation(options).make();
  }

  void add_all() {
    for (const Interval& interval : run.intervals) page.add(run.facts, interval);
  }

  /// Null if the page has no such family.
  const MetricFamily* family(const std::string& name) {
    families = page.families();
    for (const MetricFamily& found : families)
      if (found.name == name && !found.samples.empty()) return &found;
    return nullptr;
  }

  double counted(const std::string& name, const std::string& label = "", const std::string& value = "") {
    double sum = 0;
    const MetricFamily* const found = family(name);
    if (found == nullptr) return -1;
    for (const Sample& sample : found->samples)
      if (label.empty() || value_of(sample, label) == value) sum += std::get<Counter>(sample.value).value;
    return sum;
  }

  sample::SimulatedRun run;
  RunPage page;
  std::vector<MetricFamily> families;
};

struct ClosedRunPageTest : RunPageTest {
  ClosedRunPageTest() : RunPageTest(false) {}
};

TEST_F(RunPageTest, counters_are_there_from_the_start_as_zeros) {
  EXPECT_EQ(family("llm_requests_total"), nullptr) << "before the run has a name";
  page.begin(run.facts);
  ASSERT_NE(family("llm_requests_total"), nullptr);
  EXPECT_EQ(family("llm_requests_total")->samples.size(), run.scenario.mix.size() * outcome_count);
  EXPECT_EQ(counted("llm_requests_total"), 0);
  const MetricFamily* const ttft = family("llm_ttft_seconds");
  ASSERT_NE(ttft, nullptr);
  EXPECT_EQ(std::get<HistogramSnapshot>(ttft->samples.at(0).value).edges.size(), 91U);
}

TEST_F(RunPageTest, counts_are_those_of_the_rows) {
  add_all();
  std::map<std::string, double> outcomes;
  std::map<std::string, double> entries;
  double tokens = 0;
  for (const Interval& interval : run.intervals)
    for (const RequestRow& row : interval.rows) {
      ++outcomes[std::string(label(row.record.outcome))];
      ++entries[run.scenario.mix.at(row.record.entry).name];
      tokens += row.record.output_tokens;
    }
  EXPECT_GT(outcomes.at("overloaded"), 0);
  EXPECT_GT(outcomes.at("timeout_total"), 0);
  for (const auto& [outcome, count] : outcomes) EXPECT_EQ(counted("llm_requests_total", "outcome", outcome), count);
  for (const auto& [entry, count] : entries) EXPECT_EQ(counted("llm_requests_total", "entry", entry), count);
  EXPECT_EQ(counted("llm_output_tokens_total"), tokens);
  EXPECT_EQ(counted("llm_input_tokens_total"), 40 * outcomes.at("ok"));
}

/// The edge at which the buckets up to it hold the rank of the quantile.
double quantile_edge(const HistogramSnapshot& histogram, double quantile) {
  const auto rank = exporters::HdrHistogram::rank_at_quantile(quantile, histogram.count());
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < histogram.edges.size(); ++i)
    if ((seen += histogram.counts[i]) >= rank) return histogram.edges[i];
  return INFINITY;
}

TEST_F(RunPageTest, histograms_are_the_measured_latencies_to_a_bucket) {
  add_all();
  const RunTotals totals = run.totals();
  const std::pair<const char*, Metric> shown[] = {
      {"llm_ttft_seconds", Metric::ttft},           {"llm_ttfo_seconds", Metric::ttfo},
      {"llm_tpot_seconds", Metric::tpot},           {"llm_e2e_seconds", Metric::e2e},
      {"llm_e2e_sched_seconds", Metric::e2e_sched}, {"llm_lateness_seconds", Metric::lateness}};
  for (const auto& [name, metric] : shown) {
    const MetricFamily found = *family(name);
    ASSERT_EQ(found.samples.size(), totals.entries.size());
    for (std::size_t i = 0; i < totals.entries.size(); ++i) {
      const auto& histogram = std::get<HistogramSnapshot>(found.samples[i].value);
      const exporters::Distribution& exact = totals.entries[i][metric];
      ASSERT_GT(exact.count(), 0U);
      EXPECT_EQ(histogram.count(), exact.count() + exact.censored()) << name;
      EXPECT_EQ(histogram.counts.back(), exact.censored()) << name;
      EXPECT_NEAR(histogram.sum, exact.mean_ms() / 1000 * static_cast<double>(exact.count()), 1e-9 * histogram.sum);
      for (const double quantile : {0.5, 0.9}) {
        const double edge = quantile_edge(histogram, quantile);
        const double seconds = exact.percentile_ms(quantile).value() / 1000;
        EXPECT_LE(seconds, edge) << name;
        EXPECT_TRUE(seconds > edge / std::exp2(0.25) * 0.999999 || edge == histogram.edges.front()) << name << seconds;
      }
    }
  }
}

TEST_F(ClosedRunPageTest, has_no_planned_times) {
  add_all();
  EXPECT_NE(family("llm_e2e_seconds"), nullptr);
  for (const auto* name : {"llm_ttft_sched_seconds", "llm_e2e_sched_seconds", "llm_lateness_seconds"})
    EXPECT_EQ(family(name), nullptr) << name;
}

std::set<std::string> gauges(const std::vector<MetricFamily>& families) {
  std::set<std::string> names;
  for (const MetricFamily& found : families)
    if (!found.samples.empty() && std::holds_alternative<Gauge>(found.samples.front().value)) names.insert(found.name);
  return names;
}

TEST_F(RunPageTest, what_was_true_of_a_moment_goes_with_the_run) {
  for (std::size_t second = 0; second < 5; ++second) page.add(run.facts, run.intervals[second]);
  EXPECT_EQ(gauges(page.families()), (std::set<std::string>{"llm_in_flight", "llm_generator_loop_lag_seconds",
                                                            "llm_run_info", "llm_generator_valid"}));
  const double before = counted("llm_requests_total");
  Summary summary;
  summary.validity.status = Health::suspect;
  page.end(summary);
  EXPECT_EQ(gauges(page.families()), (std::set<std::string>{"llm_run_info", "llm_generator_valid"}));
  EXPECT_EQ(counted("llm_requests_total"), before);
  EXPECT_EQ(value_of(family("llm_run_info")->samples.at(0), "phase"), "ended");
  for (const Sample& sample : family("llm_generator_valid")->samples)
    EXPECT_EQ(std::get<Gauge>(sample.value).value, value_of(sample, "verdict") == "SUSPECT" ? 1 : 0);
}

std::string verdict(RunPageTest& test) {
  const MetricFamily* const found = test.family("llm_generator_valid");
  if (found == nullptr) return "";
  for (const Sample& sample : found->samples)
    if (std::get<Gauge>(sample.value).value == 1) return value_of(sample, "verdict");
  return "none";
}

TEST_F(RunPageTest, the_verdict_so_far_follows_the_rules_of_the_end) {
  page.add(run.facts, run.intervals[0]);
  EXPECT_EQ(verdict(*this), "") << "nothing is judged in warm-up";
  page.add(run.facts, run.intervals[2]);
  EXPECT_EQ(verdict(*this), "VALID");
  Interval late = run.intervals[3];
  late.entries[0][Metric::lateness].record_ns(900'000'000, 500);
  page.add(run.facts, late);
  EXPECT_EQ(verdict(*this), "INVALID");
}

TEST_F(RunPageTest, accounts_are_shown) {
  page.set_accounts({{"influx", {10, 7, 1, 2, 0, "", ""}}});
  EXPECT_EQ(counted("llm_export_records_total", "account", "offered"), 10);
  EXPECT_EQ(counted("llm_export_records_total", "account", "stored"), 7);
  EXPECT_EQ(counted("llm_export_records_total", "account", "spilled"), 2);
}

TEST_F(RunPageTest, hostile_names_stay_inside_their_labels) {
  run.scenario.mix[0].name = "x\"} 1\nllm_sent_total{a=\"b";
  run.scenario.mix[0].model = std::string(4096, '\\');
  run.scenario.mix[1].model = "\xff\xfe \r\n# TYPE x gauge\nx 1\n";
  RunPage hostile(run.scenario);
  for (const Interval& interval : run.intervals) hostile.add(run.facts, interval);
  std::istringstream text(exporters::render_prometheus(hostile.families()));
  std::set<std::string> names;
  std::size_t sent = 0;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# TYPE ")) names.insert(line.substr(7, line.find(' ', 7) - 7));
    sent += line.starts_with("llm_sent_total{") ? 1 : 0;
    EXPECT_TRUE(line.starts_with("#") || line.starts_with("llm_")) << line.substr(0, 100);
  }
  EXPECT_EQ(sent, run.scenario.mix.size());
  EXPECT_FALSE(names.contains("x"));
}

}  // namespace
}  // namespace loadgen
