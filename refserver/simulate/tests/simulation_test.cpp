// The scheduler in virtual time against queueing theory, and what the simulator counts against what must come out.
#include "refserver/simulate/simulation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <stdexcept>

#include "refserver/simulate/theory.hpp"

namespace refserver {
namespace {

using namespace std::chrono_literals;

/// Shorter than the files ask for: intervals are as much wider, and still those of independent batches.
SimulationScenario short_scenario(const std::string& name) {
  auto loaded = load_scenario(name);
  EXPECT_TRUE(loaded.has_value()) << loaded.error().message();
  SimulationScenario scenario = *loaded;
  std::uint64_t most = scenario.settings.size.answer > 1 ? 40'000 : name.ends_with("90") ? 160'000 : 50'000;
  if (scenario.theory == Theory::script) most = 2'000;
  if (scenario.settings.requests > most) {
    scenario.settings.requests = most;
    scenario.warmup = std::min(scenario.warmup, most / 100);
  }
  EXPECT_EQ(find_problem(scenario), std::nullopt) << name;
  return scenario;
}

class Scenarios : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(All, Scenarios, testing::ValuesIn(known_scenarios()), [](const auto& of) {
  std::string name = of.param;
  std::erase(name, '-');
  return name;
});

TEST_P(Scenarios, AgreeWithTheory) {
  const SimulationScenario scenario = short_scenario(GetParam());
  const SimulationResult result = simulate(scenario.settings);
  EXPECT_EQ(result.wait.size(), scenario.settings.requests);
  EXPECT_EQ(result.counters.finished(), scenario.settings.requests);
  const auto findings = compare_with_theory(scenario, result);
  EXPECT_GE(findings.size(), 4U);
  for (const Finding& finding : findings) {
    EXPECT_TRUE(finding.agrees()) << series_name(finding.expected.series) << " " << statistic_name(finding.expected.p)
                                  << ": " << finding.simulated.value << " for " << finding.expected.value << ", from "
                                  << finding.simulated.low << " to " << finding.simulated.high;
  }
  EXPECT_NEAR(result.busy_share(), expected_busy_share(scenario).value_or(result.busy_share()), 0.01);
}

TEST(Theory, NoticesAServerThatIsSlowerThanItSays) {
  for (const char* name : {"md1-80", "dd1", "stall", "bimodal-gaps"}) {
    const SimulationScenario said = short_scenario(name);
    SimulationSettings settings = said.settings;
    settings.engine.cost.base *= 1.3;
    settings.engine.ttft = Distribution(ConstantTime{settings.engine.ttft.mean_ns() * 1.3});
    const auto findings = compare_with_theory(said, simulate(settings));
    EXPECT_FALSE(std::ranges::all_of(findings, &Finding::agrees)) << name;
  }
}

SimulationSettings plain(std::uint64_t requests, RequestSize size) {
  SimulationSettings settings;
  settings.scheduler = simulated_scheduler(100'000);
  settings.engine.kind = EngineKind::cost;
  settings.engine.cost = {1e6, 0, 1e4, 1e5, 0};
  settings.requests = requests;
  settings.size = size;
  return settings;
}

TEST(Simulation, OneClientWaitsForNobody) {
  SimulationSettings settings = plain(100, {50, 10, 0});
  settings.arrivals.process = ArrivalProcess::closed;
  settings.arrivals.think = Distribution(3ms);
  const SimulationResult result = simulate(settings);
  const std::int64_t service = std::chrono::nanoseconds(1500us + 9 * 1100us).count();
  for (const std::int64_t e2e : result.e2e) ASSERT_EQ(e2e, service);
  EXPECT_EQ(result.duration.count(), 100 * service + 99 * std::chrono::nanoseconds(3ms).count());
  EXPECT_EQ(result.gap.size(), 900U);
  EXPECT_EQ(result.counters.generated_tokens, 1000U);
}

TEST(Simulation, ClosedLoopsHoldAsManyRequestsAsClients) {
  SimulationSettings settings = plain(400, {2, 30, 0});
  settings.arrivals.process = ArrivalProcess::closed;
  settings.arrivals.clients = 8;
  const SimulationResult result = simulate(settings);
  EXPECT_NEAR(result.mean_rows(), 8, 0.1);
  EXPECT_NEAR(result.busy_share(), 1, 1e-9);
}

TEST(Simulation, SameSettingsSameFigures) {
  SimulationSettings settings = plain(300, {20, 20, 0});
  settings.engine.noise = *parse_distribution("exp(1ms)");
  settings.arrivals.rate_per_s = 60;
  const SimulationResult first = simulate(settings);
  EXPECT_EQ(simulate(settings).e2e, first.e2e);
  settings.arrivals.seed = 9;
  EXPECT_NE(simulate(settings).e2e, first.e2e);
}

TEST(Simulation, AnswersShorterThanAllowedEndByThemselves) {
  SimulationSettings settings = plain(2, {});
  settings.trace.times = {0ms, 1ms};
  settings.trace.sizes = {{10, 5, 100}, {10, 7, 7}};
  const SimulationResult result = simulate(settings);
  EXPECT_EQ(result.counters.finished_eos, 1U);
  EXPECT_EQ(result.counters.finished_length, 1U);
  EXPECT_EQ(result.counters.generated_tokens, 12U);
  settings.requests = 3;
  EXPECT_THROW(simulate(settings), std::invalid_argument);
}

TEST(Simulation, SaysWhatIsRefused) {
  SimulationSettings settings = plain(10, {50, 50, 0});
  settings.scheduler.max_total_tokens = 60;
  EXPECT_THROW(simulate(settings), std::invalid_argument);
}

TEST(Arrivals, HaveTheRateAndTheBurstsAskedFor) {
  for (const auto& [process, shape, variation] :
       {std::tuple{ArrivalProcess::constant, 1.0, 0.0}, std::tuple{ArrivalProcess::poisson, 1.0, 1.0},
        std::tuple{ArrivalProcess::gamma, 0.25, 2.0}, std::tuple{ArrivalProcess::gamma, 4.0, 0.5}}) {
    ArrivalSettings settings;
    settings.process = process;
    settings.rate_per_s = 250;
    settings.gamma_shape = shape;
    const auto arrivals = make_arrivals(settings, TimePoint{});
    constexpr int n = 50'000;
    TimePoint last{};
    double sum = 0;
    double squares = 0;
    for (int i = 0; i < n; ++i, arrivals->pop()) {
      const std::chrono::duration<double> gap = *arrivals->next() - last;
      last = *arrivals->next();
      sum += gap.count();
      squares += gap.count() * gap.count();
    }
    const double mean = sum / n;
    EXPECT_NEAR(mean, 0.004, 0.004 * 5 * variation / std::sqrt(n) + 1e-9);
    EXPECT_NEAR(std::sqrt(std::max(0.0, squares / n - mean * mean)) / mean, variation, 0.05);
  }
}

}  // namespace
}  // namespace refserver
