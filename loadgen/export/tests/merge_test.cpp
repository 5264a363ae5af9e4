// One run on one machine and the same run on several: the same numbers, to the digit; and what a merge must refuse.
#include "loadgen/summarize/merge.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "exporters/metrics/hdr_codec.hpp"
#include "loadgen/export/tests/sharded_run.hpp"

namespace loadgen {
namespace {

using sample::ShardedRun;
using testing::HasSubstr;
using testing::IsEmpty;

/// As the merge sees them: written, read back.
std::vector<ShardResult> through_files(std::vector<ShardResult> shards) {
  for (ShardResult& shard : shards) {
    auto read = parse_shard(shard_text(shard));
    if (!read) ADD_FAILURE() << read.error();
    read->directory = "shard-" + std::to_string(shard.totals.facts.shard);
    shard = *read;
  }
  return shards;
}

MergedRun merged(std::vector<ShardResult> shards) {
  auto run = merge_shards(through_files(std::move(shards)));
  if (!run) ADD_FAILURE() << run.error();
  return *run;
}

void expect_same(const exporters::Distribution& a, const exporters::Distribution& b) {
  EXPECT_EQ(exporters::encode_hdr(a.histogram()), exporters::encode_hdr(b.histogram()));
  EXPECT_EQ(a.censored(), b.censored());
  EXPECT_EQ(a.censored_above_ns(), b.censored_above_ns());
  EXPECT_NEAR(a.mean_ms(), b.mean_ms(), 1e-9 * a.mean_ms());
  EXPECT_NEAR(a.std_ms(), b.std_ms(), 1e-9 * a.std_ms());
}

void expect_same_numbers(const RunTotals& a, const RunTotals& b) {
  ASSERT_EQ(a.entries.size(), b.entries.size());
  for (std::size_t i = 0; i < a.entries.size(); ++i) {
    const EntryTally &x = a.entries[i], &y = b.entries[i];
    EXPECT_EQ(x.ended, y.ended);
    EXPECT_EQ(x.started, y.started);
    EXPECT_EQ(x.token_sources, y.token_sources);
    EXPECT_EQ(x.finish_reasons, y.finish_reasons);
    EXPECT_EQ(x.error_messages, y.error_messages);
    EXPECT_EQ(x.overlap_ns, y.overlap_ns);
    EXPECT_EQ(x.output_tokens_in_window, y.output_tokens_in_window);
    EXPECT_EQ(x.input_tokens_in_window, y.input_tokens_in_window);
    EXPECT_EQ(x.offered_in_window, y.offered_in_window);
    EXPECT_EQ(x.completed_in_window, y.completed_in_window);
    EXPECT_EQ(x.first_send_ns, y.first_send_ns) << "on the clock of the first machine";
    EXPECT_EQ(x.last_token_ns, y.last_token_ns);
    for (std::size_t m = 0; m < metric_count; ++m) expect_same(x.latency[m], y.latency[m]);
  }
  EXPECT_EQ(a.facts.planned_in_window, b.facts.planned_in_window);
}

ShardedRun two_entries() {
  ShardedRun run;
  run.scenario.mix = {sample::entry("a"), sample::entry("b")};
  run.scenario.mix[1].weight = 2;
  return run;
}

TEST(Merge, ThreeAndEightShardsAreOneRunToTheDigit) {
  for (const OpenLoop& load :
       {OpenLoop{200, Arrivals::poisson}, OpenLoop{200, Arrivals::constant}, OpenLoop{200, Arrivals::gamma, 0.25}}) {
    ShardedRun run = two_entries();
    run.scenario.load = load;
    const MergedRun alone = merged(run.results());
    EXPECT_GT(alone.totals.entries[0][Metric::e2e].count(), 500U);
    for (const std::uint32_t shards : {3U, 8U}) {
      run.shards = shards;
      run.threads = 2;
      const MergedRun several = merged(run.results());
      EXPECT_THAT(several.degraded, IsEmpty());
      expect_same_numbers(several.totals, alone.totals);
      const Summary a = summarize_merged(run.scenario, alone, {}, Degraded::leave_open);
      const Summary b = summarize_merged(run.scenario, several, {}, Degraded::leave_open);
      for (std::size_t m = 0; m < metric_count; ++m) {
        EXPECT_EQ(a.overall.metrics[m].p50, b.overall.metrics[m].p50);
        EXPECT_EQ(a.overall.metrics[m].p99, b.overall.metrics[m].p99);
        EXPECT_EQ(a.overall.metrics[m].p99_upper, b.overall.metrics[m].p99_upper);
        EXPECT_EQ(a.overall.metrics[m].max, b.overall.metrics[m].max);
      }
      EXPECT_EQ(b.shards.size(), shards);
    }
  }
}

TEST(Merge, TheOrderOfTheShardsDoesNotMatter) {
  ShardedRun run = two_entries();
  run.shards = 5;
  std::vector<ShardResult> shards = run.results();
  const MergedRun forward = merged(shards);
  std::reverse(shards.begin(), shards.end());
  expect_same_numbers(merged(shards).totals, forward.totals);
  std::swap(shards[1], shards[3]);
  expect_same_numbers(merged(shards).totals, forward.totals);
}

TEST(Merge, GatesAreJudgedOnTheWhole) {
  ShardedRun run = two_entries();
  run.shards = 8;
  // No shard has the 662 requests that a p99 of an entry needs; together they have.
  run.scenario.gates = {sample::latency_gate(0.99, Metric::tpot, Gate::Comparison::less, 1000, "p99(tpot) < 1s")};
  run.scenario.gates[0].entry = "a";
  const ShardResult one = run.result(3);
  EXPECT_FALSE(one.totals.entries[0][Metric::tpot].reportable_percentile_ms(0.99));
  const Summary whole = summarize_merged(run.scenario, merged(run.results()), {}, Degraded::leave_open);
  EXPECT_EQ(whole.verdict, Verdict::pass);
}

TEST(Merge, ReadingsOfAnyShardDecideGates) {
  ShardedRun run = two_entries();
  run.shards = 2;
  run.scenario.gates = {*parse_gate("max(gpu.memory_used_mib) < 100")};
  std::vector<ShardResult> shards = run.results();
  const Summary unseen = summarize_merged(run.scenario, merged(shards), {}, Degraded::leave_open);
  EXPECT_EQ(unseen.verdict, Verdict::inconclusive);
  EXPECT_THAT(unseen.gates.at(0).note, HasSubstr("--gpu-source"));

  SourceLog nvml;
  nvml.name = "nvml";
  nvml.is_open = true;
  SampleSeries series;
  series.subject.source = "nvml";
  const Window& window = shards[1].totals.facts.window;  // of a clock an hour ahead of the first shard's
  for (std::int64_t at = window.begin_ns - sample::second; at <= window.end_ns; at += sample::second) {
    Reading reading;
    reading.at_ns = at;
    reading.values.set(ObservedMetric::gpu_memory_used_mib, at < window.begin_ns ? 500 : 99);
    series.readings.push_back(reading);
  }
  shards[1].observations = {{nvml}, {series}};
  const Summary seen = summarize_merged(run.scenario, merged(shards), {}, Degraded::leave_open);
  EXPECT_EQ(seen.verdict, Verdict::pass) << seen.gates.at(0).note;
  EXPECT_EQ(seen.gates.at(0).value, 99) << "what was read before the window does not count";
  ASSERT_EQ(seen.observed.subjects.size(), 1U);
  EXPECT_EQ(seen.observed.subjects[0].readings, 16U);
}

TEST(Merge, AMissingShardMakesItDegraded) {
  ShardedRun run = two_entries();
  run.shards = 4;
  run.scenario.gates = {sample::latency_gate(0.5, Metric::e2e, Gate::Comparison::less, 10'000, "p50(e2e) < 10s")};
  for (const std::size_t lost : {0U, 2U, 3U}) {
    std::vector<ShardResult> shards = run.results();
    shards.erase(shards.begin() + static_cast<std::ptrdiff_t>(lost));
    const MergedRun rest = merged(shards);
    ASSERT_EQ(rest.degraded.size(), 1U);
    EXPECT_THAT(rest.degraded[0], HasSubstr("shards " + std::to_string(lost) + " of 4 are missing"));
    ASSERT_EQ(rest.notes.size(), 4U);
    EXPECT_EQ(rest.notes[lost].status, "missing");
    const Summary open = summarize_merged(run.scenario, rest, {}, Degraded::leave_open);
    EXPECT_EQ(open.verdict, Verdict::inconclusive);
    EXPECT_EQ(exit_code(open), ExitCode::degraded);
    const Summary judged = summarize_merged(run.scenario, rest, {}, Degraded::judge);
    EXPECT_EQ(judged.verdict, Verdict::pass);
    EXPECT_EQ(exit_code(judged), ExitCode::degraded) << "also with its gates met";
  }
}

TEST(Merge, OfTwoResultsOfOneShardTheCompleteOneCounts) {
  ShardedRun run = two_entries();
  run.shards = 2;
  std::vector<ShardResult> shards = run.results();
  const MergedRun expected = merged(shards);
  ShardResult part = run.result(1);
  part.is_complete = false;
  part.totals.facts.interrupted = true;
  shards.insert(shards.begin(), part);
  const MergedRun twice = merged(shards);
  EXPECT_THAT(twice.degraded, IsEmpty());
  expect_same_numbers(twice.totals, expected.totals);
  ASSERT_FALSE(twice.reasons.empty());
  EXPECT_THAT(twice.reasons[0], HasSubstr("duplicate_attempt: shard 1"));
  EXPECT_GE(twice.worst, Health::suspect);

  std::vector<ShardResult> copied = run.results();
  copied.push_back(copied[0]);
  const MergedRun once = merged(copied);
  EXPECT_THAT(once.warnings[0], HasSubstr("copies of one result"));
  expect_same_numbers(once.totals, expected.totals);
}

TEST(Merge, ACutOffShardIsNamed) {
  ShardedRun run = two_entries();
  run.shards = 2;
  std::vector<ShardResult> shards = run.results();
  shards[1].is_complete = false;
  const MergedRun rest = merged(shards);
  ASSERT_EQ(rest.degraded.size(), 1U);
  EXPECT_THAT(rest.degraded[0], HasSubstr("shard 1"));
  EXPECT_THAT(rest.degraded[0], HasSubstr("cut off 20 s into the plan"));
}

std::string refusal(std::vector<ShardResult> shards) {
  const auto run = merge_shards(through_files(std::move(shards)));
  return run ? "merged" : run.error();
}

TEST(Merge, RefusesShardsOfDifferentRuns) {
  ShardedRun run = two_entries();
  run.shards = 2;
  const ShardResult first = run.result(0);
  ShardedRun other = run;
  other.scenario.seed = 2;
  EXPECT_THAT(refusal({first, other.result(1)}), HasSubstr("seed: 1 and 2"));
  other = run;
  other.scenario.load = OpenLoop{100, Arrivals::poisson};
  EXPECT_THAT(refusal({first, other.result(1)}), HasSubstr("load: "));
  other = run;
  other.shards = 3;
  EXPECT_THAT(refusal({first, other.result(1)}), HasSubstr("shards of 2 and of 3"));
  other = run;
  other.scenario.mix[0].prompts = {"something else"};
  EXPECT_THAT(refusal({first, other.result(1)}), HasSubstr("prompts"));
  ShardResult newer = run.result(1);
  newer.version = "99";
  EXPECT_THAT(refusal({first, newer}), HasSubstr("program versions"));
  EXPECT_THAT(refusal({first, newer}), HasSubstr("shard-0 and shard-1 are not of one run"));
}

TEST(Merge, SaysWhatOnlyShowsBetweenShards) {
  ShardedRun run = two_entries();
  run.shards = 2;
  std::vector<ShardResult> shards = run.results();
  shards[0].totals.facts.start_error_ns = -150'000'000;
  shards[1].validity = "INVALID";
  shards[1].reasons = {"lateness_p99 is 80 ms"};
  shards[1].host = "slow-one";
  shards[0].clock = {false, 16'000'000};
  shards[1].clock = {true, 100};
  const MergedRun seen = merged(shards);
  EXPECT_EQ(seen.worst, Health::invalid) << "one late shard taints the run";
  EXPECT_THAT(seen.reasons, testing::Contains(HasSubstr("start_skew: shard 0 began 150 ms before shard 1")));
  EXPECT_THAT(seen.reasons, testing::Contains(HasSubstr("shard 1 on slow-one: lateness_p99 is 80 ms")));
  ASSERT_EQ(seen.warnings.size(), 1U);
  EXPECT_THAT(seen.warnings[0], HasSubstr("shard 0"));
  EXPECT_THAT(seen.warnings[0], HasSubstr("not synchronised"));
}

}  // namespace
}  // namespace loadgen
