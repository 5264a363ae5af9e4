// What to look at: sources and pages in files and flags, and what `target` stands for.
#include "loadgen/plan/observe_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/plan/render_plan.hpp"
#include "loadgen/plan/scenario_file.hpp"

namespace loadgen {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string text(const std::string& observe) {
  return "schema_version: 1\nname: s\nload: {mode: closed, concurrency: 1}\nduration: 1s\nroute: tgi\n"
         "target: http://127.0.0.1:8080\nmix:\n  - {name: a}\n  - {name: b}\n"
         "  - {name: c, target: 'https://other:444/base'}\n" +
         observe;
}

Observe read(const std::string& observe, const ScenarioFlags& flags = {}) {
  auto scenario = parse_scenario(text(observe), "s.yaml", {}, flags);
  if (!scenario) throw std::invalid_argument(errors_text(scenario.error()));
  return scenario->observe;
}
std::string error_of(const std::string& observe, const ScenarioFlags& flags = {}) {
  const auto scenario = parse_scenario(text(observe), "s.yaml", {}, flags);
  return scenario ? "read" : errors_text(scenario.error());
}

TEST(ObserveFields, NothingIsLookedAtByDefault) {
  const Observe observe = read("");
  EXPECT_EQ(observe.gpu, GpuSource::none);
  EXPECT_TRUE(observe.scrape.empty());
}

TEST(ObserveFields, TargetStandsForThePageOfEachTargetOnce) {
  const Observe observe = read("observe: {gpu: {source: target}, scrape: [target, 'http://127.0.0.1:8080/metrics']}\n");
  EXPECT_EQ(observe.gpu, GpuSource::target);
  ASSERT_EQ(observe.gpu_pages.size(), 2U);
  ASSERT_EQ(observe.scrape.size(), 2U);
  EXPECT_EQ(observe.scrape[0].url, "http://127.0.0.1:8080/metrics");
  EXPECT_EQ(observe.scrape[0].target, "http://127.0.0.1:8080");
  EXPECT_EQ(observe.scrape[1].url, "https://other:444/base/metrics");
  EXPECT_EQ(observe.scrape[1].server, "https://other:444");
  EXPECT_EQ(observe.scrape[1].path, "/base/metrics");
  EXPECT_EQ(observe.scrape[1].target, "https://other:444/base");
}

TEST(ObserveFields, PagesOfOtherPortsAndPaths) {
  const Observe observe = read(
      "observe: {gpu: {source: 'dcgm:http://node:9400', memory_baseline_mib: 350.5}, "
      "scrape: ['http://127.0.0.1:8080/stats/prometheus']}\n");
  EXPECT_EQ(observe.gpu, GpuSource::dcgm);
  ASSERT_EQ(observe.gpu_pages.size(), 1U);
  EXPECT_EQ(observe.gpu_pages[0].url, "http://node:9400/metrics");
  EXPECT_EQ(observe.gpu_pages[0].target, "http://node:9400") << "no target of the mix";
  EXPECT_EQ(observe.memory_baseline_mib, 350.5);
  EXPECT_EQ(observe.scrape[0].path, "/stats/prometheus");
  EXPECT_EQ(observe.scrape[0].target, "http://127.0.0.1:8080");
}

TEST(ObserveFields, FlagsReplaceWhatTheFileSays) {
  ScenarioFlags flags;
  flags.observe.gpu_source = "nvml";
  flags.observe.scrape = {"http://a:1", "http://b:2/m"};
  const Observe observe = read("observe: {gpu: {source: target, memory_baseline_mib: 7}, scrape: [target]}\n", flags);
  EXPECT_EQ(observe.gpu, GpuSource::nvml);
  EXPECT_EQ(observe.memory_baseline_mib, 7);
  ASSERT_EQ(observe.scrape.size(), 2U);
  EXPECT_EQ(observe.scrape[1].url, "http://b:2/m");
  EXPECT_EQ(read("", flags).gpu, GpuSource::nvml);
}

TEST(ObserveFields, ErrorsNameTheFlag) {
  ScenarioFlags flags;
  flags.observe.gpu_source = "cuda";
  EXPECT_THAT(error_of("", flags), HasSubstr("--gpu-source"));
  flags.observe.gpu_source = "dcgm:";
  EXPECT_THAT(error_of("", flags), HasSubstr("must start with http://"));
  flags.observe.gpu_source.reset();
  flags.observe.scrape = {"http://h/metrics?x=1"};
  EXPECT_THAT(error_of("", flags), HasSubstr("--scrape"));
  flags.observe.scrape = {""};
  EXPECT_THAT(error_of("", flags), HasSubstr("--scrape"));
}

TEST(ObserveFields, ThePlanShowsWhatIsLookedAtAndWhatIsMissing) {
  const auto shown = [](const std::string& observe) {
    return render_plan(*parse_scenario(text(observe), "s.yaml", {}));
  };
  const std::string gates = "gates: ['max(gpu.power_w) < 1', 'max(server.waiting) < 1']\n";
  const std::string without = shown(gates);
  EXPECT_THAT(without, HasSubstr("max(gpu.power_w) < 1   (no --gpu-source"));
  EXPECT_THAT(without, HasSubstr("max(server.waiting) < 1   (nothing to --scrape"));
  const std::string with = shown(gates + "observe: {gpu: {source: nvml}, scrape: ['http://h:9']}\n");
  EXPECT_THAT(with, HasSubstr("looks at  GPUs by nvml, http://h:9/metrics\n"));
  EXPECT_THAT(with, Not(HasSubstr("inconclusive")));
}

TEST(ObserveFields, AUnixSocketHasNoPageOfItsOwn) {
  ScenarioFlags flags;
  flags.target = "unix:/run/s.sock";
  flags.observe.scrape = {"target"};
  EXPECT_THAT(error_of("", flags), HasSubstr("give the URL of its page"));
}

}  // namespace
}  // namespace loadgen
