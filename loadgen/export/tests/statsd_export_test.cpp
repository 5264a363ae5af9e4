// Golden seconds of a run in each dialect, and totals that equal the rows.
#include "loadgen/export/statsd_export.hpp"

#include <gtest/gtest.h>

#include <map>

#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using exporters::Batch;
using exporters::StatsdFormat;

std::vector<std::string> lines(const Batch& batch) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < batch.size(); ++i) all.push_back(batch.slice(i, 1).bytes);
  return all;
}

struct StatsdExportTest : testing::Test {
  StatsdExportTest() {
    scenario = sample::closed_loop();
    scenario.mix = {sample::entry("a"), sample::entry("b")};
    scenario.mix[1].model = "llama 3";
    facts.run_id = "r1";
    interval.entries.resize(2);
    EntryTally& a = interval.entries[0];
    a.started = 3;
    a.in_flight = 2;
    a.all_input_tokens = 70;
    a.all_output_tokens = 160;
    sample::ended(a, Phase::warmup, Outcome::ok) = 1;
    sample::ended(a, Phase::measure, Outcome::timeout_total) = 1;
    a[Metric::ttft].record_ns(12'034'000);
    EntryTally& b = interval.entries[1];
    b.started = 1;
    sample::ended(b, Phase::measure, Outcome::ok) = 1;
    b[Metric::ttft].record_ns(1'000'000);
    interval.health.cpu_ns = 250'000'000;
    interval.health.wall_ns = 1'000'000'000;
  }

  std::vector<std::string> second(StatsdFormat format) {
    StatsdRenderer renderer(scenario, format, "llm");
    Batch batch;
    renderer.append_interval(batch, facts, interval);
    return lines(batch);
  }

  Scenario scenario;
  RunFacts facts;
  Interval interval;
};

TEST_F(StatsdExportTest, plain_names_hold_run_and_target_and_add_up_its_entries) {
  EXPECT_EQ(second(StatsdFormat::plain), (std::vector<std::string>{
                                             "llm.r1.127_0_0_1_8080.sent:4|c",
                                             "llm.r1.127_0_0_1_8080.requests.ok:2|c",
                                             "llm.r1.127_0_0_1_8080.requests.timeout_total:1|c",
                                             "llm.r1.127_0_0_1_8080.requests.total:3|c",
                                             "llm.r1.127_0_0_1_8080.tokens.input:70|c",
                                             "llm.r1.127_0_0_1_8080.tokens.output:160|c",
                                             "llm.r1.127_0_0_1_8080.in_flight:2|g",
                                             "llm.r1.127_0_0_1_8080.ttft:1|ms",
                                             "llm.r1.127_0_0_1_8080.ttft:12.039|ms",
                                             "llm.r1.127_0_0_1_8080.ttft.p50:1|g",
                                             "llm.r1.127_0_0_1_8080.ttft.p95:12.039|g",
                                             "llm.r1.127_0_0_1_8080.ttft.p99:12.039|g",
                                             "llm.r1.127_0_0_1_8080.ttft.max:12.039|g",
                                             "llm.r1.generator.cpu_share:0.25|g",
                                         }));
}

TEST_F(StatsdExportTest, tags_say_which_entry) {
  const auto dogstatsd = second(StatsdFormat::dogstatsd);
  EXPECT_EQ(dogstatsd.front(), "llm.sent:3|c|#run:r1,target:127.0.0.1:8080,model:qwen2,entry:a,scenario:qa");
  EXPECT_EQ(dogstatsd.back(), "llm.generator.cpu_share:0.25|g|#run:r1");
  const auto influx = second(StatsdFormat::influx);
  EXPECT_EQ(influx.front(), "llm.sent,run=r1,target=127.0.0.1_8080,model=qwen2,entry=a,scenario=qa:3|c");
  std::size_t of_b = 0;
  for (const std::string& line : influx) of_b += line.find(",model=llama_3,entry=b,") != std::string::npos ? 1 : 0;
  EXPECT_EQ(of_b, 9U) << "sent, requests.ok, requests.total, in_flight, a timer and four gauges";
}

TEST_F(StatsdExportTest, targets_that_look_alike_and_one_called_generator_stay_apart) {
  scenario.mix.push_back(sample::entry("c"));
  scenario.mix[1].target.url = "http://127.0.0.1.8080";
  scenario.mix[2].target.url = "http://generator";
  interval.entries.resize(3);
  interval.entries[2].started = 5;
  const auto all = second(StatsdFormat::plain);
  EXPECT_TRUE(std::count(all.begin(), all.end(), "llm.r1.127_0_0_1_8080.sent:3|c"));
  EXPECT_TRUE(std::count(all.begin(), all.end(), "llm.r1.127_0_0_1_8080-2.sent:1|c"));
  EXPECT_TRUE(std::count(all.begin(), all.end(), "llm.r1.generator-2.sent:5|c"));
}

TEST_F(StatsdExportTest, the_end_sets_gauges_to_zero) {
  StatsdRenderer renderer(scenario, StatsdFormat::plain, "llm");
  Batch batch;
  renderer.append_end(batch, facts);
  EXPECT_EQ(lines(batch),
            (std::vector<std::string>{"llm.r1.127_0_0_1_8080.in_flight:0|g", "llm.r1.generator.cpu_share:0|g",
                                      "llm.r1.generator.loop_lag_p99:0|g"}));
}

TEST_F(StatsdExportTest, counters_add_up_to_the_rows_of_a_run) {
  const sample::SimulatedRun run = sample::Simulation({}).make();
  std::map<std::string, std::uint64_t> counted;
  std::map<std::string, std::uint64_t> expected;
  StatsdRenderer renderer(run.scenario, StatsdFormat::plain, "llm");
  for (const Interval& interval_of_run : run.intervals) {
    Batch batch;
    renderer.append_interval(batch, run.facts, interval_of_run);
    for (const std::string& line : lines(batch)) {
      if (!line.ends_with("|c") || line.find(".requests.") == std::string::npos) continue;
      counted[line.substr(line.find(".requests.") + 10, line.find(':') - line.find(".requests.") - 10)] +=
          std::stoull(line.substr(line.find(':') + 1));
    }
    for (const RequestRow& row : interval_of_run.rows) {
      ++expected[std::string(label(row.record.outcome))];
      ++expected["total"];
    }
  }
  EXPECT_GT(expected["total"], 1000U);
  EXPECT_EQ(counted, expected);
}

}  // namespace
}  // namespace loadgen
