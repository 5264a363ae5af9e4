// Sources on threads of their own: what they give arrives, what cannot be opened is said, what does not answer is left.
#include "loadgen/observe/observer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace loadgen {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* fake_nvml = FAKE_NVML_FOLDER "/libfake_nvml_whole.so";

Scenario scenario_at(const std::string& host) {
  Scenario scenario;
  MixEntry entry;
  entry.target.url = "http://" + host;
  entry.target.host = host;
  scenario.mix.push_back(entry);
  return scenario;
}

TEST(Observer, LooksWhenItStartsAndOnceMoreAtTheEnd) {
  Scenario scenario = scenario_at("127.0.0.1");
  scenario.observe.gpu = GpuSource::nvml;
  Observer observer(scenario, fake_nvml);
  EXPECT_TRUE(observer.complaints().empty());
  observer.start();
  const Observations kept = observer.finish();
  ASSERT_EQ(kept.sources.size(), 1U);
  EXPECT_TRUE(kept.sources[0].is_open);
  EXPECT_TRUE(kept.sources[0].is_targets);
  EXPECT_THAT(kept.sources[0].notes, ElementsAre("driver 999.1"));
  ASSERT_EQ(kept.series.size(), 1U);
  const std::vector<Reading>& readings = kept.series[0].readings;
  ASSERT_GE(readings.size(), 2U);
  EXPECT_LT(readings.front().at_ns, readings.back().at_ns);
  EXPECT_EQ(observer.take_new().size(), readings.size()) << "nobody took them before";
  EXPECT_TRUE(observer.take_new().empty());
}

TEST(Observer, AGpuHereServesATargetHereOnly) {
  Scenario scenario = scenario_at("gpu-server.example");
  scenario.observe.gpu = GpuSource::nvml;
  Observer observer(scenario, fake_nvml);
  observer.start();
  EXPECT_FALSE(observer.finish().sources.at(0).is_targets);
}

TEST(Observer, ASourceThatCannotBeOpenedIsKeptWithTheReason) {
  Scenario scenario = scenario_at("127.0.0.1");
  scenario.observe.gpu = GpuSource::nvml;
  Observer observer(scenario, "/nonexistent/nvml.so");
  ASSERT_EQ(observer.complaints().size(), 1U);
  EXPECT_THAT(observer.complaints()[0], HasSubstr("nvml: no NVML: /nonexistent/nvml.so"));
  observer.start();
  const Observations kept = observer.finish();
  ASSERT_EQ(kept.sources.size(), 1U);
  EXPECT_FALSE(kept.sources[0].is_open);
  EXPECT_TRUE(kept.series.empty());
}

TEST(Observer, APageThatNobodyServesIsAFailureEachTime) {
  Scenario scenario = scenario_at("127.0.0.1");
  scenario.observe.scrape = {{"http://127.0.0.1:1/metrics", "http://127.0.0.1:1", "/metrics", "http://127.0.0.1:1"}};
  Observer observer(scenario, nullptr);
  observer.start();
  const Observations kept = observer.finish();
  ASSERT_EQ(kept.sources.size(), 1U);
  EXPECT_GE(kept.sources[0].failed_at_ns.size(), 2U);
  EXPECT_FALSE(kept.sources[0].first_error.empty());
}

TEST(Observer, WithoutSourcesThereIsNothingToDo) {
  Observer observer(scenario_at("127.0.0.1"), "/nonexistent/nvml.so");
  EXPECT_TRUE(observer.complaints().empty());
  observer.start();
  EXPECT_TRUE(observer.take_new().empty());
  EXPECT_TRUE(observer.finish().sources.empty());
}

}  // namespace
}  // namespace loadgen
