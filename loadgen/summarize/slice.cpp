#include "loadgen/summarize/slice.hpp"

#include "loadgen/summarize/tail_bound.hpp"

namespace loadgen {
namespace {

std::uint64_t ended_in_phase(const EntryTally& tally, Phase phase) {
  std::uint64_t sum = 0;
  for (const std::uint64_t count : tally.ended[static_cast<std::size_t>(phase)]) sum += count;
  return sum;
}

Counts count_requests(const EntryTally& tally) {
  Counts counts;
  counts.warmup = ended_in_phase(tally, Phase::warmup);
  counts.measured = ended_in_phase(tally, Phase::measure);
  counts.drain = ended_in_phase(tally, Phase::drain);
  counts.sent = counts.warmup + counts.measured + counts.drain;
  for (const Phase phase : {Phase::warmup, Phase::measure, Phase::drain})
    counts.sent -= tally.ended_in(phase, Outcome::dropped);

  for (std::size_t i = 0; i < outcome_count; ++i) {
    const auto outcome = static_cast<Outcome>(i);
    const std::uint64_t count = tally.ended_in(Phase::measure, outcome);
    if (count == 0) continue;
    counts.outcomes.emplace(label(outcome), count);
    (outcome == Outcome::ok ? counts.ok : outcome == Outcome::cancelled ? counts.cancelled : counts.failed) += count;
  }
  counts.finish_reasons = tally.finish_reasons;
  counts.errors = tally.error_messages;
  counts.output_tokens = tally.output_tokens;
  counts.input_tokens = tally.input_tokens;
  counts.wasted_tokens = tally.wasted_tokens;
  counts.osl_mismatches = tally.osl_mismatches;
  counts.requested_tokens = tally.requested_tokens;
  counts.requested_input_tokens = tally.requested_input_tokens;
  counts.told_input_tokens = tally.told_input_tokens;
  counts.index_breaks = tally.index_breaks;
  return counts;
}

Rates compute_rates(const EntryTally& tally, const Window& window) {
  Rates rates;
  const std::int64_t last_token_after = tally.last_token_ns - tally.first_send_ns;
  if (tally.first_send_ns != 0 && last_token_after > 0)
    rates.vllm_output_token_throughput =
        static_cast<double>(tally.all_output_tokens) / (static_cast<double>(last_token_after) * 1e-9);
  const double seconds = window.seconds();
  if (seconds <= 0) return rates;
  rates.request_throughput = static_cast<double>(tally.completed_in_window) / seconds;
  rates.output_token_throughput = static_cast<double>(tally.output_tokens_in_window) / seconds;
  rates.input_token_throughput = tally.input_tokens_in_window / seconds;
  rates.total_token_throughput = rates.output_token_throughput + rates.input_token_throughput;
  rates.offered_rate = static_cast<double>(tally.offered_in_window) / seconds;
  rates.achieved_rate = static_cast<double>(tally.achieved_in_window) / seconds;
  rates.concurrency_mean = static_cast<double>(tally.overlap_ns) * 1e-9 / seconds;
  return rates;
}

std::map<std::string, double> source_shares(const EntryTally& tally) {
  double total = 0;
  for (const std::uint64_t count : tally.token_sources) total += static_cast<double>(count);
  std::map<std::string, double> shares;
  for (std::size_t i = 0; i < token_source_count; ++i) {
    if (tally.token_sources[i] == 0) continue;
    shares.emplace(label(static_cast<TokenSource>(i)), static_cast<double>(tally.token_sources[i]) / total);
  }
  return shares;
}

}  // namespace

MetricSummary summarize_metric(const exporters::Distribution& values) {
  MetricSummary metric;
  metric.count = values.count();
  metric.censored = values.censored();
  if (metric.count == 0) return metric;
  metric.mean = values.mean_ms();
  metric.std = values.std_ms();
  metric.min = values.min_ms();
  metric.max = values.max_ms();
  metric.p50 = values.reportable_percentile_ms(0.5);
  metric.p90 = values.reportable_percentile_ms(0.9);
  metric.p95 = values.reportable_percentile_ms(0.95);
  metric.p99 = values.reportable_percentile_ms(0.99);
  metric.p99_9 = values.reportable_percentile_ms(0.999);
  metric.p99_upper = upper_bound_ms(values, 0.99);
  return metric;
}

GeneratorSummary summarize_generator(const GeneratorHealth& health) {
  GeneratorSummary summary;
  summary.loop_lag = summarize_metric(health.loop_lag);
  summary.recv_delay = summarize_metric(health.recv_delay);
  summary.write_delay = summarize_metric(health.write_delay);
  summary.reads = health.recv_delay.count() + health.unstamped_reads;
  if (summary.reads > 0)
    summary.kernel_stamped_share = static_cast<double>(health.recv_delay.count()) / static_cast<double>(summary.reads);
  return summary;
}

Slice summarize_entry(const EntryTally& tally, const Window& window) {
  Slice slice;
  slice.counts = count_requests(tally);
  slice.rates = compute_rates(tally, window);
  const std::uint64_t decided = slice.counts.ok + slice.counts.failed;
  if (decided > 0) slice.rates.error_rate = static_cast<double>(slice.counts.failed) / static_cast<double>(decided);
  if (slice.counts.ok > 0)
    slice.rates.osl_mismatch = static_cast<double>(slice.counts.osl_mismatches) / static_cast<double>(slice.counts.ok);
  for (std::size_t i = 0; i < metric_count; ++i) slice.metrics[i] = summarize_metric(tally.latency[i]);
  slice.token_source_shares = source_shares(tally);
  return slice;
}

Slice summarize_run(const EntryTally& all, const Scenario& scenario, const RunTotals& totals) {
  Slice slice = summarize_entry(all, totals.facts.window);
  slice.rates.concurrency_max = totals.health.max_in_flight;
  const double seconds = totals.facts.window.seconds();
  if (is_open_loop(scenario) && seconds > 0)
    slice.rates.planned_rate = static_cast<double>(totals.facts.planned_in_window) / seconds;
  return slice;
}

}  // namespace loadgen
