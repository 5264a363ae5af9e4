#include "loadgen/summarize/slice.hpp"

#include <gtest/gtest.h>

#include <random>

#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

using sample::ended;
using sample::ms;
using sample::second;

TEST(Slice, RatesAreOverTheWindow) {
  EntryTally tally;
  tally.completed_in_window = 40;
  tally.output_tokens_in_window = 800;
  tally.input_tokens_in_window = 120;
  tally.offered_in_window = 50;
  tally.achieved_in_window = 45;
  tally.overlap_ns = 25 * second;
  tally.all_output_tokens = 1200;
  tally.first_send_ns = 999 * second;
  tally.last_token_ns = 1011 * second;
  const Rates rates = summarize_entry(tally, {1000 * second, 1010 * second}).rates;
  EXPECT_DOUBLE_EQ(rates.request_throughput, 4);
  EXPECT_DOUBLE_EQ(rates.output_token_throughput, 80);
  EXPECT_DOUBLE_EQ(rates.input_token_throughput, 12);
  EXPECT_DOUBLE_EQ(rates.total_token_throughput, 92);
  EXPECT_DOUBLE_EQ(rates.offered_rate, 5);
  EXPECT_DOUBLE_EQ(rates.achieved_rate, 4.5);
  EXPECT_DOUBLE_EQ(rates.concurrency_mean, 2.5);
  EXPECT_DOUBLE_EQ(rates.vllm_output_token_throughput, 100);
  EXPECT_FALSE(rates.error_rate);
}

TEST(Slice, AnEmptyWindowGivesNoRatesAndNoDivision) {
  EntryTally tally;
  tally.completed_in_window = 1;
  const Rates rates = summarize_entry(tally, {}).rates;
  EXPECT_EQ(rates.request_throughput, 0);
  EXPECT_EQ(rates.vllm_output_token_throughput, 0);
}

TEST(Slice, CountsByPhaseAndOutcome) {
  EntryTally tally;
  ended(tally, Phase::warmup, Outcome::ok) = 5;
  ended(tally, Phase::measure, Outcome::ok) = 90;
  ended(tally, Phase::measure, Outcome::timeout_total) = 6;
  ended(tally, Phase::measure, Outcome::overloaded) = 4;
  ended(tally, Phase::measure, Outcome::cancelled) = 3;
  ended(tally, Phase::measure, Outcome::dropped) = 2;
  ended(tally, Phase::drain, Outcome::cancelled) = 7;
  const Slice slice = summarize_entry(tally, {0, second});
  EXPECT_EQ(slice.counts.warmup, 5u);
  EXPECT_EQ(slice.counts.measured, 105u);
  EXPECT_EQ(slice.counts.drain, 7u);
  EXPECT_EQ(slice.counts.sent, 115u) << "dropped ones were never sent";
  EXPECT_EQ(slice.counts.ok, 90u);
  EXPECT_EQ(slice.counts.failed, 12u);
  EXPECT_EQ(slice.counts.cancelled, 3u);
  EXPECT_DOUBLE_EQ(slice.rates.error_rate.value(), 12.0 / 102.0);
  const std::map<std::string, std::uint64_t> outcomes = {
      {"ok", 90}, {"timeout_total", 6}, {"overloaded", 4}, {"cancelled", 3}, {"dropped", 2}};
  EXPECT_EQ(slice.counts.outcomes, outcomes);
}

TEST(Slice, MetricOfOneToAHundredMilliseconds) {
  exporters::Distribution values;
  for (int i = 1; i <= 100; ++i) values.record_ns(i * ms);
  const MetricSummary metric = summarize_metric(values);
  EXPECT_EQ(metric.count, 100u);
  EXPECT_DOUBLE_EQ(metric.mean.value(), 50.5);
  EXPECT_NEAR(metric.std.value(), 28.866070047722118, 1e-9);  // population form
  EXPECT_NEAR(metric.min.value(), 1, 0.001);
  EXPECT_NEAR(metric.max.value(), 100, 0.1);
  EXPECT_NEAR(metric.p50.value(), 50, 0.05);
  EXPECT_NEAR(metric.p90.value(), 90, 0.09);  // 100 values: enough for p90 (64), not for p95 (130)
  EXPECT_FALSE(metric.p95);
  EXPECT_FALSE(metric.p99);
  EXPECT_FALSE(metric.p99_9);
  EXPECT_FALSE(metric.p99_upper);
}

TEST(Slice, AMetricWithoutValuesIsAllAbsent) {
  exporters::Distribution values;
  values.record_censored(second);
  const MetricSummary metric = summarize_metric(values);
  EXPECT_EQ(metric.count, 0u);
  EXPECT_EQ(metric.censored, 1u);
  EXPECT_FALSE(metric.mean || metric.std || metric.min || metric.p50 || metric.max || metric.p99_upper);
}

TEST(Slice, TokenSourceSharesAddUpToOne) {
  EntryTally tally;
  tally.token_sources[static_cast<std::size_t>(TokenSource::server_usage)] = 3;
  tally.token_sources[static_cast<std::size_t>(TokenSource::chunks)] = 1;
  const auto shares = summarize_entry(tally, {0, second}).token_source_shares;
  ASSERT_EQ(shares.size(), 2u);
  EXPECT_DOUBLE_EQ(shares.at(std::string(label(TokenSource::server_usage))), 0.75);
  EXPECT_DOUBLE_EQ(shares.at(std::string(label(TokenSource::chunks))), 0.25);
}

/// However the requests are dealt out over tallies, adding the tallies gives the numbers of one tally that saw them
/// all.
TEST(Slice, PropertyAddingTalliesLosesNothing) {
  std::mt19937_64 random(7);
  std::lognormal_distribution<double> latency(4.0, 1.0);
  for (int round = 0; round < 20; ++round) {
    EntryTally whole;
    std::array<EntryTally, 3> parts;
    for (int i = 0; i < 2000; ++i) {
      const auto ns = static_cast<std::int64_t>(latency(random) * 1e6);
      EntryTally& part = parts[random() % parts.size()];
      const bool cut = random() % 200 == 0;
      for (EntryTally* tally : {&whole, &part}) {
        ended(*tally, Phase::measure, cut ? Outcome::timeout_total : Outcome::ok) += 1;
        if (cut) {
          (*tally)[Metric::e2e].record_censored(second);
        } else {
          (*tally)[Metric::e2e].record_ns(ns);
        }
        tally->completed_in_window += cut ? 0 : 1;
        tally->overlap_ns += ns;
      }
    }
    EntryTally sum;
    for (const auto index : {2, 0, 1}) sum.add(parts[static_cast<std::size_t>(index)]);
    const Slice a = summarize_entry(whole, {0, 10 * second});
    const Slice b = summarize_entry(sum, {0, 10 * second});
    const MetricSummary& e2e_a = a.metrics[static_cast<std::size_t>(Metric::e2e)];
    const MetricSummary& e2e_b = b.metrics[static_cast<std::size_t>(Metric::e2e)];
    EXPECT_EQ(e2e_a.count, e2e_b.count);
    EXPECT_EQ(e2e_a.censored, e2e_b.censored);
    EXPECT_EQ(e2e_a.p50, e2e_b.p50);
    EXPECT_EQ(e2e_a.p99, e2e_b.p99);
    EXPECT_EQ(e2e_a.p99_upper, e2e_b.p99_upper);
    EXPECT_EQ(e2e_a.min, e2e_b.min);
    EXPECT_EQ(e2e_a.max, e2e_b.max);
    EXPECT_NEAR(e2e_a.mean.value(), e2e_b.mean.value(), 1e-9 * e2e_a.mean.value());
    EXPECT_NEAR(e2e_a.std.value(), e2e_b.std.value(), 1e-9 * e2e_a.std.value());
    EXPECT_EQ(a.counts.outcomes, b.counts.outcomes);
    EXPECT_DOUBLE_EQ(a.rates.concurrency_mean, b.rates.concurrency_mean);
  }
}

}  // namespace
}  // namespace loadgen
