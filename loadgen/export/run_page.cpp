#include "loadgen/export/run_page.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "exporters/metrics/histogram_buckets.hpp"
#include "loadgen/summarize/validity.hpp"

namespace loadgen {
namespace {

using exporters::Counter;
using exporters::Gauge;
using exporters::HistogramSnapshot;
using exporters::Labels;
using exporters::MetricFamily;

struct Shown {
  Metric metric;
  const char* name;
  const char* help;
};

constexpr Shown of_any_load[] = {
    {Metric::ttft, "llm_ttft_seconds", "First token less send, measured requests; timed out ones are in +Inf alone."},
    {Metric::ttfo, "llm_ttfo_seconds", "First token that is no reasoning less send, measured requests, as above."},
    {Metric::tpot, "llm_tpot_seconds", "Time per output token after the first, a value per measured request."},
    {Metric::icl, "llm_icl_seconds", "Gaps between events that bring tokens, measured requests."},
    {Metric::e2e, "llm_e2e_seconds", "End less send, measured successes; timed out requests are in +Inf alone."},
};
constexpr Shown of_open_load[] = {
    {Metric::ttft_sched, "llm_ttft_sched_seconds", "First token less planned send, measured requests."},
    {Metric::e2e_sched, "llm_e2e_sched_seconds", "End less planned send, measured successes."},
    {Metric::lateness, "llm_lateness_seconds", "Send less planned send: the generator's own delay."},
};

const Shown& shown_as(Metric metric) {
  const auto is_it = [metric](const Shown& shown) { return shown.metric == metric; };
  const auto* const found = std::find_if(std::begin(of_any_load), std::end(of_any_load), is_it);
  return found != std::end(of_any_load) ? *found
                                        : *std::find_if(std::begin(of_open_load), std::end(of_open_load), is_it);
}

/// Slots go where their highest value belongs, as percentiles report them; what was cut by a timeout is above all.
void add_values(HistogramSnapshot& into, const exporters::Distribution& values) {
  std::size_t bucket = 0;
  values.histogram().for_each_slot([&](std::size_t, std::int64_t, std::int64_t highest_us, std::uint64_t n) {
    const double seconds = static_cast<double>(highest_us) / 1e6;
    while (bucket < into.edges.size() && into.edges[bucket] < seconds) ++bucket;
    into.counts[bucket] += n;
  });
  into.counts.back() += values.censored();
  into.sum += values.mean_ms() / 1000 * static_cast<double>(values.count());
}

Labels with(Labels labels, const char* name, std::string_view value) {
  labels.push_back({name, std::string(value)});
  return labels;
}

double as_double(std::uint64_t count) {
  return static_cast<double>(count);
}

constexpr std::array verdicts = {std::pair{Health::valid, "VALID"}, std::pair{Health::suspect, "SUSPECT"},
                                 std::pair{Health::invalid, "INVALID"}};

}  // namespace

RunPage::RunPage(const Scenario& scenario) : scenario_(scenario) {
  for (const Shown& shown : of_any_load) shown_.push_back(shown.metric);
  if (!is_open_loop(scenario)) return;
  for (const Shown& shown : of_open_load) shown_.push_back(shown.metric);
}

void RunPage::begin(const RunFacts& facts) {
  if (!run_.empty()) return;
  run_ = facts.run_id;
  const std::vector<double> edges = exporters::fine_duration_edges();
  const HistogramSnapshot empty{edges, std::vector<std::uint64_t>(edges.size() + 1), 0};
  for (const MixEntry& entry : scenario_.mix) {
    EntrySeries series;
    series.labels = {{"run", run_},
                     {"target", entry.target.url},
                     {"model", entry.model},
                     {"entry", entry.name},
                     {"scenario", entry.scenario}};
    series.latency.assign(shown_.size(), empty);
    entries_.push_back(std::move(series));
  }
}

void RunPage::add(const RunFacts& facts, const Interval& interval) {
  begin(facts);
  for (std::size_t i = 0; i < interval.entries.size() && i < entries_.size(); ++i) {
    const EntryTally& tally = interval.entries[i];
    EntrySeries& series = entries_[i];
    series.sent += tally.started;
    series.input_tokens += tally.all_input_tokens;
    series.output_tokens += tally.all_output_tokens;
    series.in_flight = tally.in_flight;
    for (const auto& phase : tally.ended)
      for (std::size_t outcome = 0; outcome < outcome_count; ++outcome) series.ended[outcome] += phase[outcome];
    for (std::size_t m = 0; m < shown_.size(); ++m) add_values(series.latency[m], tally[shown_[m]]);
  }
  phase_ = interval.phase;
  const GeneratorHealth& health = interval.health;
  cpu_share_.reset();
  loop_lag_s_.reset();
  if (health.wall_ns > 0) cpu_share_ = static_cast<double>(health.cpu_ns) / static_cast<double>(health.wall_ns);
  if (const auto lag_ms = health.loop_lag.percentile_ms(0.99)) loop_lag_s_ = *lag_ms / 1000;
  if (const Health so_far = judge_so_far(facts, interval); interval.phase != Phase::warmup) verdict_ = so_far;
}

/// By the rules of the end, as far as they can be applied in the middle: until the first success it is not known
/// whether there will be one.
Health RunPage::judge_so_far(const RunFacts& facts, const Interval& interval) {
  for (const EntryTally& entry : interval.entries) measured_.add(entry);
  so_far_.facts = facts;
  so_far_.facts.planned_in_window = 0;  // whether the whole plan was kept is judged when it is over
  so_far_.health.add_distributions(interval.health);
  if (interval.phase == Phase::measure) {
    cpu_ns_ += interval.health.cpu_ns;
    wall_ns_ += interval.health.wall_ns;
  }
  if (wall_ns_ > 0) so_far_.facts.max_thread_cpu_share = static_cast<double>(cpu_ns_) / static_cast<double>(wall_ns_);
  Health worst = Health::valid;
  for (const HealthCheck& check : judge_validity(scenario_, so_far_, measured_, {}).checks)
    if (check.name != "successes") worst = std::max(worst, check.status);
  return worst;
}

void RunPage::end(const Summary& summary) {
  begin(summary.facts);
  verdict_ = summary.validity.status;
  has_ended_ = true;
}

std::vector<MetricFamily> RunPage::families() const {
  std::vector<MetricFamily> out;
  append_counters(out);
  append_histograms(out);
  if (!has_ended_) append_gauges(out);
  append_verdict(out);
  append_accounts(out);
  return out;
}

void RunPage::append_counters(std::vector<MetricFamily>& out) const {
  MetricFamily requests{"llm_requests_total", "Requests that ended, all phases, by outcome.", {}};
  MetricFamily sent{"llm_sent_total", "Requests begun, all phases.", {}};
  MetricFamily input{"llm_input_tokens_total", "Prompt tokens of successes, where the server said them.", {}};
  MetricFamily output{"llm_output_tokens_total", "Output tokens of successes.", {}};
  for (const EntrySeries& entry : entries_) {
    for (std::size_t i = 0; i < outcome_count; ++i)
      requests.samples.push_back(
          {with(entry.labels, "outcome", label(static_cast<Outcome>(i))), Counter{as_double(entry.ended[i])}});
    sent.samples.push_back({entry.labels, Counter{as_double(entry.sent)}});
    input.samples.push_back({entry.labels, Counter{as_double(entry.input_tokens)}});
    output.samples.push_back({entry.labels, Counter{as_double(entry.output_tokens)}});
  }
  for (MetricFamily* family : {&requests, &sent, &input, &output}) out.push_back(std::move(*family));
}

void RunPage::append_histograms(std::vector<MetricFamily>& out) const {
  for (std::size_t m = 0; m < shown_.size(); ++m) {
    const Shown& shown = shown_as(shown_[m]);
    MetricFamily family{shown.name, shown.help, {}};
    for (const EntrySeries& entry : entries_) family.samples.push_back({entry.labels, entry.latency[m]});
    out.push_back(std::move(family));
  }
}

void RunPage::append_gauges(std::vector<MetricFamily>& out) const {
  if (run_.empty()) return;
  MetricFamily in_flight{"llm_in_flight", "Requests under way.", {}};
  for (const EntrySeries& entry : entries_)
    in_flight.samples.push_back({entry.labels, Gauge{static_cast<double>(entry.in_flight)}});
  out.push_back(std::move(in_flight));
  const auto add = [&](const char* name, const char* help, std::optional<double> value) {
    if (value) out.push_back({name, help, {{{{"run", run_}}, Gauge{*value}}}});
  };
  add("llm_generator_cpu_share", "CPU time of the busiest I/O thread over wall time, last second.", cpu_share_);
  add("llm_generator_loop_lag_seconds", "How late the I/O threads woke up, p99 of the last second.", loop_lag_s_);
}

void RunPage::append_verdict(std::vector<MetricFamily>& out) const {
  if (run_.empty()) return;
  const std::string_view phase = has_ended_ ? "ended" : label(phase_);
  out.push_back({"llm_run_info",
                 "The run and where it stands.",
                 {{{{"run", run_}, {"name", scenario_.name}, {"phase", std::string(phase)}}, Gauge{1}}}});
  if (!verdict_) return;
  MetricFamily valid{"llm_generator_valid", "Whether the generator's numbers can be trusted, so far or finally.", {}};
  for (const auto& [health, word] : verdicts)
    valid.samples.push_back({{{"run", run_}, {"verdict", word}}, Gauge{health == *verdict_ ? 1.0 : 0.0}});
  out.push_back(std::move(valid));
}

void RunPage::append_accounts(std::vector<MetricFamily>& out) const {
  MetricFamily family{"llm_export_records_total", "What became of what each exporter was given.", {}};
  for (const auto& [name, account] : accounts_) {
    const std::pair<const char*, std::uint64_t> parts[] = {{"offered", account.offered},
                                                           {"stored", account.stored},
                                                           {"rejected", account.rejected},
                                                           {"spilled", account.spilled},
                                                           {"dropped", account.dropped}};
    for (const auto& [part, count] : parts)
      family.samples.push_back({{{"exporter", name}, {"account", part}}, Counter{as_double(count)}});
  }
  out.push_back(std::move(family));
}

}  // namespace loadgen
