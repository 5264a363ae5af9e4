// One source per thing that was looked at, whoever looked; what is local to a machine stays apart from the others'.
#include "loadgen/summarize/merge_observations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/summarize/observed_gate.hpp"

namespace loadgen {
namespace {

using ::testing::ElementsAre;

constexpr std::int64_t second = 1'000'000'000;
constexpr Window window{10 * second, 20 * second};

/// A shard on `host` that read GPU `gpu` from `source` every second of the window: `joules` more each time.
ShardResult shard_with(std::uint32_t index, const std::string& host, const std::string& source, const std::string& gpu,
                       double joules, int readings = 13) {
  ShardResult shard;
  shard.host = host;
  shard.totals.facts.shard = index;
  SourceLog log;
  log.name = source;
  log.is_page = source != "nvml";
  log.is_open = true;
  SampleSeries series;
  series.subject.source = source;
  series.subject.gpu = gpu;
  for (int i = 0; i < readings; ++i) {
    Reading reading;
    reading.at_ns = 9 * second + i * second;
    reading.values.set(ObservedMetric::gpu_energy_j, i * joules);
    reading.values.set(ObservedMetric::gpu_memory_used_mib, 100 + i);
    series.readings.push_back(reading);
  }
  shard.observations = {{log}, {series}};
  return shard;
}

std::vector<std::string> names(const Observations& observations) {
  std::vector<std::string> all;
  for (const SourceLog& log : observations.sources) all.push_back(log.name);
  return all;
}

GateResult check(const char* text, const Observations& observations) {
  const auto gate = parse_gate(text);
  return check_observed_gate(*gate, std::get<ObservedTerm>(gate->term), observations, window, 100);
}

TEST(MergeObservations, APageThatSeveralReadCountsOnce) {
  const std::string page = "http://gpu-node:9400/metrics";
  const Observations all = merge_observations(
      {shard_with(0, "a", page, "0", 10, 4), shard_with(1, "b", page, "0", 10), shard_with(2, "c", page, "0", 10, 9)});
  EXPECT_THAT(names(all), ElementsAre(page));
  ASSERT_EQ(all.series.size(), 1U);
  EXPECT_EQ(all.series[0].readings.size(), 13U) << "of the shard that saw most";
  const GateResult cost = check("gpu.joules_per_token < 2", all);
  EXPECT_EQ(cost.status, GateResult::Status::pass) << cost.note;
  EXPECT_NEAR(cost.value.value(), 1, 1e-9) << "100 J in the window, once, over 100 tokens";
}

TEST(MergeObservations, GpusOfSeveralMachinesAddUp) {
  const Observations all =
      merge_observations({shard_with(0, "a", "nvml", "0", 10), shard_with(1, "b", "nvml", "0", 30)});
  EXPECT_THAT(names(all), ElementsAre("nvml on a", "nvml on b"));
  EXPECT_NEAR(check("gpu.joules_per_token < 2", all).value.value(), 4, 1e-9);
  EXPECT_EQ(check("max(gpu.memory_used_mib) < 200", all).status, GateResult::Status::pass);
}

TEST(MergeObservations, ShardsOfOneMachineSawTheSameGpus) {
  const Observations all =
      merge_observations({shard_with(0, "a", "nvml", "0", 10), shard_with(1, "a", "nvml", "0", 10)});
  EXPECT_THAT(names(all), ElementsAre("nvml"));
  EXPECT_NEAR(check("gpu.joules_per_token < 2", all).value.value(), 1, 1e-9);
}

TEST(MergeObservations, LoopbackIsAnotherPageOnEachMachine) {
  for (const char* page : {"http://127.0.0.1:9400/metrics", "http://localhost/m", "http://[::1]:1/m"}) {
    const Observations all = merge_observations({shard_with(0, "a", page, "0", 10), shard_with(1, "b", page, "0", 30)});
    EXPECT_EQ(all.sources.size(), 2U) << page;
    EXPECT_EQ(all.series[1].subject.source, std::string(page) + " on b");
  }
}

TEST(MergeObservations, ASourceThatOneCouldNotOpenIsTakenFromTheOther) {
  ShardResult without = shard_with(0, "a", "nvml", "0", 10);
  without.observations.series.clear();
  without.observations.sources[0].is_open = false;
  without.observations.sources[0].first_error = "no NVML";
  const Observations all = merge_observations({without, shard_with(1, "a", "nvml", "0", 10)});
  ASSERT_EQ(all.sources.size(), 1U);
  EXPECT_TRUE(all.sources[0].is_open);
  const Observations none = merge_observations({without});
  ASSERT_EQ(none.sources.size(), 1U);
  EXPECT_EQ(check("gpu.joules_per_token < 2", none).status, GateResult::Status::inconclusive);
  ShardResult nothing;
  EXPECT_TRUE(merge_observations({nothing}).sources.empty());
}

}  // namespace
}  // namespace loadgen
