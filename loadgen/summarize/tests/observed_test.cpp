// Readings to numbers: only those in the window count, totals are taken from edge to edge, energy becomes joules a
// token.
#include "loadgen/summarize/observed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/summarize/observed_gate.hpp"
#include "loadgen/summarize/observed_window.hpp"

namespace loadgen {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t second = 1'000'000'000;
/// From 10 s to 20 s.
constexpr Window window{10 * second, 20 * second};

SampleSeries gpu_series(const std::string& gpu = "0") {
  SampleSeries series;
  series.subject.source = "nvml";
  series.subject.gpu = gpu;
  return series;
}

void add(SampleSeries& series, double at_s, ObservedMetric metric, double value, std::uint32_t throttle = 0) {
  Reading reading;
  reading.at_ns = static_cast<std::int64_t>(at_s * second);
  reading.values.set(metric, value);
  reading.knows_throttle = true;
  reading.throttle = throttle;
  series.readings.push_back(reading);
}

Observations of(std::vector<SampleSeries> series) {
  Observations all;
  SourceLog log;
  log.name = "nvml";
  log.is_open = true;
  all.sources.push_back(log);
  all.series = std::move(series);
  return all;
}

TEST(ObservedWindow, TotalsAreTakenFromEdgeToEdge) {
  SampleSeries series = gpu_series();
  for (double at = 5.5; at < 25; at += 1) add(series, at, ObservedMetric::gpu_energy_j, 1000 + 40 * at);
  EXPECT_NEAR(increase_in(series, ObservedMetric::gpu_energy_j, window).value(), 400, 1e-9)
      << "40 W for 10 s, though no reading lies on an edge";
}

TEST(ObservedWindow, TotalsWithoutReadingsAroundAnEdgeAreNotKnown) {
  SampleSeries late = gpu_series(), near = gpu_series(), gap = gpu_series();
  for (double at = 12; at < 25; at += 1) add(late, at, ObservedMetric::gpu_energy_j, at);
  for (double at = 10.5; at < 20; at += 1) add(near, at, ObservedMetric::gpu_energy_j, at);
  add(gap, 3, ObservedMetric::gpu_energy_j, 1);
  for (double at = 15; at < 25; at += 1) add(gap, at, ObservedMetric::gpu_energy_j, at);
  EXPECT_FALSE(increase_in(late, ObservedMetric::gpu_energy_j, window).has_value());
  EXPECT_FALSE(increase_in(gap, ObservedMetric::gpu_energy_j, window).has_value());
  EXPECT_EQ(increase_in(near, ObservedMetric::gpu_energy_j, window), 9.0) << "within a second of each edge";
  EXPECT_FALSE(increase_in(gpu_series(), ObservedMetric::gpu_energy_j, window).has_value());
}

TEST(ObservedWindow, ATotalThatFallsWasStartedAnew) {
  SampleSeries series = gpu_series();
  for (double at = 5; at < 25; at += 1) add(series, at, ObservedMetric::gpu_energy_j, at < 15 ? 100 * at : at);
  EXPECT_FALSE(increase_in(series, ObservedMetric::gpu_energy_j, window).has_value());
}

TEST(ObservedWindow, AreasFollowTheReadings) {
  SampleSeries series = gpu_series();
  for (double at = 5; at < 25; at += 1) add(series, at, ObservedMetric::gpu_power_w, at);  // 10 W to 20 W
  EXPECT_NEAR(integral_in(series, ObservedMetric::gpu_power_w, window).value(), 150, 1e-9);
}

TEST(Observed, OnlyTheWindowCounts) {
  SampleSeries series = gpu_series();
  add(series, 9, ObservedMetric::gpu_utilization, 1000);
  add(series, 10, ObservedMetric::gpu_utilization, 80, Throttle::power_cap);
  add(series, 15, ObservedMetric::gpu_utilization, 90, Throttle::power_cap | Throttle::hw_thermal);
  add(series, 19, ObservedMetric::gpu_utilization, 70);
  add(series, 20, ObservedMetric::gpu_utilization, 1000, Throttle::power_cap);
  const ObservedSummary summary = summarize_observed(of({series}), window, 0);
  ASSERT_EQ(summary.subjects.size(), 1U);
  const ObservedSubject& gpu = summary.subjects[0];
  EXPECT_EQ(gpu.readings, 3U);
  ASSERT_EQ(gpu.metrics.size(), 1U);
  const ObservedStatistic& busy = gpu.metrics[0];
  EXPECT_EQ(busy.count, 3U);
  EXPECT_EQ(busy.mean, 80);
  EXPECT_EQ(busy.min, 70);
  EXPECT_EQ(busy.max, 90);
  EXPECT_EQ(busy.first, 80);
  EXPECT_EQ(busy.last, 70);
  EXPECT_EQ(gpu.throttled, 2U);
  EXPECT_EQ(gpu.throttle.at("power_cap"), 2U);
  EXPECT_EQ(gpu.throttle.at("hw_thermal"), 1U);
  ASSERT_EQ(gpu.timelines.size(), 1U);
  EXPECT_EQ(gpu.timelines[0].at_s.front(), -1) << "pictures show the whole run";
}

TEST(Observed, JoulesPerTokenAddUpOverGpus) {
  SampleSeries counter = gpu_series("0"), power = gpu_series("1");
  for (double at = 9.5; at < 21; at += 1) add(counter, at, ObservedMetric::gpu_energy_j, 30 * at);
  for (double at = 9.5; at < 21; at += 1) add(power, at, ObservedMetric::gpu_power_w, 20);
  const ObservedSummary summary = summarize_observed(of({counter, power}), window, 250);
  EXPECT_NEAR(summary.energy_j.value(), 500, 1e-9);
  EXPECT_NEAR(summary.joules_per_output_token.value(), 2, 1e-12);
  EXPECT_FALSE(summary.subjects[0].energy_from_power);
  EXPECT_TRUE(summary.subjects[1].energy_from_power);
  EXPECT_FALSE(summarize_observed(of({counter, gpu_series("1")}), window, 250).energy_j.has_value())
      << "of one GPU nothing is known";
  EXPECT_FALSE(summarize_observed(of({counter}), window, 0).joules_per_output_token.has_value());
}

TEST(Observed, BaselineIsTheFirstReadingBeforeTheWindow) {
  SampleSeries before = gpu_series(), after = gpu_series();
  add(before, 2, ObservedMetric::gpu_memory_used_mib, 350);
  add(before, 12, ObservedMetric::gpu_memory_used_mib, 900);
  add(after, 12, ObservedMetric::gpu_memory_used_mib, 900);
  EXPECT_EQ(summarize_observed(of({before}), window, 0).subjects[0].baseline_memory_mib, 350.0);
  EXPECT_FALSE(summarize_observed(of({after}), window, 0).subjects[0].baseline_memory_mib.has_value());
}

TEST(Observed, ATargetsGpuThatIsHeldDownMakesARunSuspect) {
  SampleSeries series = gpu_series();
  for (double at = 10; at < 20; at += 1)
    add(series, at, ObservedMetric::gpu_utilization, 99, at < 12 ? Throttle::power_cap : 0);
  Observations observations = of({series});
  Validity validity;
  judge_observed(validity, summarize_observed(observations, window, 0));
  EXPECT_EQ(validity.status, Health::suspect);
  ASSERT_EQ(validity.reasons.size(), 1U);
  EXPECT_THAT(validity.reasons[0], HasSubstr("GPU 0 of the target"));
  EXPECT_THAT(validity.reasons[0], HasSubstr("2 of 10 readings (power_cap 2x)"));
  observations.sources[0].is_targets = false;
  Validity elsewhere;
  judge_observed(elsewhere, summarize_observed(observations, window, 0));
  EXPECT_EQ(elsewhere.status, Health::valid) << "this machine's GPU serves nobody";
  EXPECT_TRUE(elsewhere.checks.empty());
}

TEST(Observed, WarnsOfSourcesThatGaveNothingOrLess) {
  Observations observations = of({});
  observations.sources[0].failed_at_ns = {5 * second, 12 * second, 13 * second};
  observations.sources[0].first_error = "answered 503";
  SourceLog absent;
  absent.name = "nvml";
  absent.first_error = "no NVML";
  observations.sources.push_back(absent);
  const auto warnings = observed_warnings(summarize_observed(observations, window, 0));
  ASSERT_EQ(warnings.size(), 2U);
  EXPECT_EQ(warnings[0], "nvml gave less than everything at 2 looks in the window: answered 503");
  EXPECT_EQ(warnings[1], "nvml gave nothing: no NVML");
}

}  // namespace
}  // namespace loadgen
