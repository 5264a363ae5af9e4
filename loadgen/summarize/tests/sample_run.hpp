// Builds small runs by hand for the tests of summarize and export: every number is chosen by the test.
#pragma once

#include <cstdint>
#include <string>

#include "loadgen/record/run_totals.hpp"
#include "loadgen/summarize/summary.hpp"

namespace loadgen::sample {

inline constexpr std::int64_t second = 1'000'000'000;
inline constexpr std::int64_t ms = 1'000'000;

inline MixEntry entry(const std::string& name) {
  MixEntry made;
  made.name = name;
  made.target = {"http://127.0.0.1:8080", "127.0.0.1", 8080, "127.0.0.1:8080", ""};
  made.model = "qwen2";
  made.scenario = "qa";
  made.prompts = {"hello"};
  return made;
}

inline Scenario closed_loop(std::uint32_t concurrency = 8) {
  Scenario scenario;
  scenario.name = "sample";
  scenario.source = "sample.yaml";
  scenario.load = ClosedLoop{concurrency};
  scenario.length.duration = std::chrono::seconds(10);
  scenario.warmup = std::chrono::seconds(0);
  scenario.mix = {entry("a")};
  return scenario;
}

inline Scenario open_loop(double rate = 100) {
  Scenario scenario = closed_loop();
  scenario.load = OpenLoop{rate, Arrivals::constant};
  return scenario;
}

inline std::uint64_t& ended(EntryTally& tally, Phase phase, Outcome outcome) {
  return tally.ended[static_cast<std::size_t>(phase)][static_cast<std::size_t>(outcome)];
}

/// A window of ten seconds that starts at 1000 s on the monotonic clock, nothing measured in it yet.
inline RunTotals empty_run(std::size_t entries = 1) {
  RunTotals totals;
  totals.facts.run_id = "20261121T031500Z-1a2b";
  totals.facts.wall_start_ms = 1'795'230'900'000;
  totals.facts.mono_start_ns = 998 * second;
  totals.facts.window = {1000 * second, 1010 * second};
  totals.facts.mono_end_ns = 1011 * second;
  totals.facts.warmup_s = 2;
  totals.entries.resize(entries);
  return totals;
}

/// `count` successes of 16 tokens each with the given latencies, all ended in the window.
inline void add_successes(EntryTally& tally, std::uint64_t count, std::int64_t ttft_ns, std::int64_t e2e_ns) {
  ended(tally, Phase::measure, Outcome::ok) += count;
  tally[Metric::ttft].record_ns(ttft_ns, count);
  tally[Metric::e2e].record_ns(e2e_ns, count);
  tally.output_tokens += 16 * count;
  tally.output_tokens_in_window += 16 * count;
  tally.token_events += 16 * count;
  tally.streamed += count;
  tally.completed_in_window += count;
  tally.offered_in_window += count;
  tally.achieved_in_window += count;
  tally.token_sources[static_cast<std::size_t>(TokenSource::server_usage)] += count;
}

inline Gate latency_gate(double quantile, Metric metric, Gate::Comparison comparison, double limit_ms,
                         const std::string& text) {
  return {text, LatencyTerm{LatencyTerm::Statistic::percentile, quantile, metric}, comparison, limit_ms, ""};
}

}  // namespace loadgen::sample
