// A made-up run for the tests of export: seconds of traffic from a seeded model of a server, as the record stage would
// hand them over. The numbers are invented; what matters is that every file tells the same story about them.
#pragma once

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "loadgen/record/run_totals.hpp"
#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen::sample {

struct SimulatedRun {
  Scenario scenario;
  RunFacts facts;
  std::vector<Interval> intervals;

  RunTotals totals() const {
    RunTotals sum;
    sum.facts = facts;
    for (const Interval& interval : intervals) sum.add(interval);
    sum.settle();
    return sum;
  }
};

struct SimulationOptions {
  int warmup_s = 2, measure_s = 15, drain_s = 1;
  int requests_per_s = 90;
  double failure_share = 0.002;
  std::uint64_t seed = 1;
  bool open = false;
};

class Simulation {
 public:
  explicit Simulation(SimulationOptions options) : options_(options), random_(options.seed) {
    run_.scenario = options.open ? open_loop(options.requests_per_s) : closed_loop(120);
    run_.scenario.name = "dual-model-mix";
    run_.scenario.source = "scenarios/dual-model-mix.yaml";
    run_.scenario.warmup = std::chrono::seconds(options.warmup_s);
    run_.scenario.length.duration = std::chrono::seconds(options.measure_s);
    run_.scenario.mix.clear();
    for (const char* model : {"qwen2", "llama3"})
      for (const char* kind : {"qa", "summarize", "rewrite"}) add_entry(model, kind);
    run_.facts = empty_run().facts;
    run_.facts.warmup_s = options.warmup_s;
    run_.facts.window = {begin() + options.warmup_s * second,
                         begin() + (options.warmup_s + options.measure_s) * second};
    run_.facts.mono_end_ns = run_.facts.window.end_ns + options.drain_s * second;
    run_.facts.max_thread_cpu_share = 0.34;
    run_.facts.planned_in_window = static_cast<std::uint64_t>(options.requests_per_s * options.measure_s);
  }

  SimulatedRun make() {
    const int seconds = options_.warmup_s + options_.measure_s + options_.drain_s;
    for (int s = 0; s < seconds; ++s) run_.intervals.push_back(make_second(s));
    return std::move(run_);
  }

 private:
  std::int64_t begin() const { return run_.facts.mono_start_ns; }

  void add_entry(const std::string& model, const std::string& kind) {
    MixEntry made = entry(model + "-" + kind);
    made.model = model;
    made.scenario = kind;
    made.weight = kind == "qa" ? 2 : 1;
    run_.scenario.mix.push_back(made);
  }

  Phase phase_of(std::int64_t ns) const {
    if (ns < run_.facts.window.begin_ns) return Phase::warmup;
    return ns < run_.facts.window.end_ns ? Phase::measure : Phase::drain;
  }

  Interval make_second(int s) {
    Interval interval;
    interval.begin_ns = begin() + s * second;
    interval.end_ns = interval.begin_ns + second;
    interval.phase = phase_of(interval.end_ns - 1);
    interval.entries.resize(run_.scenario.mix.size());
    for (int i = 0; i < options_.requests_per_s; ++i) add_request(interval, i);
    interval.health.in_flight = interval.health.max_in_flight = 120;
    interval.health.loop_lag.record_ns(60'000, 900);
    interval.health.loop_lag.record_ns(180'000, 100);
    interval.health.recv_delay.record_ns(40'000, 990);
    interval.health.recv_delay.record_ns(300'000, 10);
    return interval;
  }

  double draw(double median, double spread) { return median * std::exp(spread * normal_(random_)); }

  void add_request(Interval& interval, int i) {
    RequestRow row;
    RequestFacts& r = row.record;
    r.index = next_index_++;
    r.entry = static_cast<std::uint32_t>(random_() % run_.scenario.mix.size());
    const std::int64_t end = interval.begin_ns + second * i / options_.requests_per_s + 1 + i;
    const bool slow_model = r.entry >= 3;
    const auto ttft = static_cast<std::int64_t>(draw(slow_model ? 96 : 82, 0.05) * 1e6);
    const auto gap = static_cast<std::int64_t>(draw(slow_model ? 9.9 : 9.1, 0.02) * 1e6);
    const std::int64_t tokens = 128;
    r.stamps.first_token = r.stamps.first_output = end - gap * (tokens - 1) - 200'000;
    r.stamps.send = r.stamps.first_token - ttft;
    r.stamps.intended = r.stamps.dispatch = r.stamps.connected = r.stamps.send - 40'000;
    r.stamps.sent = r.stamps.send + 15'000;
    r.stamps.headers = r.stamps.sent + 900'000;
    r.stamps.last_token = end - 200'000;
    r.stamps.end = end;
    r.streamed = true;
    r.phase = phase_of(end);
    const bool fails = std::uniform_real_distribution<>()(random_) < options_.failure_share;
    fails ? fail(r) : succeed(row, gap, tokens);
    tally(interval, row, gap);
    interval.rows.push_back(std::move(row));
  }

  void fail(RequestFacts& r) {
    r.outcome = r.index % 2 == 0 ? Outcome::overloaded : Outcome::timeout_total;
    r.http_status = r.outcome == Outcome::overloaded ? 429 : 200;
    r.error_type = r.outcome == Outcome::overloaded ? "overloaded" : "";
    r.error = r.outcome == Outcome::overloaded ? "HTTP 429: Model is overloaded" : "no end within 300 s";
    r.stamps.first_token = r.stamps.first_output = r.stamps.last_token = 0;
  }

  void succeed(RequestRow& row, std::int64_t gap, std::int64_t tokens) {
    RequestFacts& r = row.record;
    r.outcome = Outcome::ok;
    r.http_status = 200;
    r.finish_reason = "length";
    r.output_tokens = r.requested_tokens = static_cast<std::uint32_t>(tokens);
    r.input_tokens = 40;
    r.token_source = TokenSource::server_usage;
    row.metrics.chunks = r.output_tokens;
    row.metrics[Metric::ttft] = r.stamps.first_token - r.stamps.send;
    row.metrics[Metric::ttfo] = row.metrics[Metric::ttft];
    row.metrics[Metric::tpot] = gap;
    row.metrics[Metric::e2e] = r.stamps.end - r.stamps.send;
    row.metrics[Metric::e2e_last_token] = r.stamps.last_token - r.stamps.send;
    row.metrics[Metric::ttst] = gap;
    row.metrics[Metric::server_wait] = r.stamps.headers - r.stamps.sent;
    row.metrics.icl_mean = row.metrics.icl_p99 = row.metrics.icl_max = gap;
    if (!options_.open) return;
    row.metrics[Metric::ttft_sched] = r.stamps.first_token - r.stamps.intended;
    row.metrics[Metric::e2e_sched] = r.stamps.end - r.stamps.intended;
    row.metrics[Metric::lateness] = r.stamps.send - r.stamps.intended;
  }

  static void count_success(EntryTally& t, const RequestFacts& r) {
    t.completed_in_window += 1;
    t.output_tokens += r.output_tokens;
    t.requested_tokens += r.requested_tokens;
    t.output_tokens_in_window += r.output_tokens;
    t.input_tokens += 40;
    t.input_tokens_in_window += 40;
    t.token_events += r.output_tokens;
    t.streamed += 1;
    t.token_sources[static_cast<std::size_t>(r.token_source)] += 1;
    t.finish_reasons[r.finish_reason] += 1;
  }

  void tally(Interval& interval, const RequestRow& row, std::int64_t gap) {
    const RequestFacts& r = row.record;
    EntryTally& t = interval.entries[r.entry];
    ended(t, r.phase, r.outcome) += 1;
    interval.health.sent += 1;
    interval.health.tokens += r.output_tokens;
    t.all_output_tokens += r.output_tokens;
    if (r.outcome == Outcome::ok) t.all_input_tokens += 40;
    if (t.first_send_ns == 0 || r.stamps.send < t.first_send_ns) t.first_send_ns = r.stamps.send;
    t.last_token_ns = std::max(t.last_token_ns, r.stamps.last_token);
    if (r.phase != Phase::measure) return;
    t.offered_in_window += 1;
    t.achieved_in_window += 1;
    t.overlap_ns += r.stamps.end - r.stamps.send;
    if (r.outcome == Outcome::ok) count_success(t, r);
    if (!r.error.empty()) t.error_messages[r.error] += 1;
    if (r.outcome == Outcome::timeout_total) t[Metric::e2e].record_censored(300 * second);
    for (std::size_t m = 0; m < metric_count; ++m)
      if (row.metrics.single[m]) t.latency[m].record_ns(*row.metrics.single[m]);
    if (r.outcome == Outcome::ok) t[Metric::icl].record_ns(gap, r.output_tokens - 1);
    if (r.outcome == Outcome::ok) t[Metric::itl].record_ns(gap, r.output_tokens - 1);
  }

  SimulationOptions options_;
  std::mt19937_64 random_;
  std::normal_distribution<double> normal_;
  SimulatedRun run_;
  std::uint64_t next_index_ = 0;
};

inline SimulatedRun simulate(SimulationOptions options = {}) {
  return Simulation(options).make();
}

}  // namespace loadgen::sample
