// The plan is a pure function of (seed, index): shares, independence, determinism, uniqueness.
#include "loadgen/plan/plan.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <thread>
#include <unordered_set>
#include <vector>

namespace loadgen {
namespace {

constexpr std::array<std::uint64_t, 5> seeds = {0, 1, 2, 42, ~std::uint64_t{0}};

Scenario scenario_of(std::vector<double> weights, std::size_t prompts, std::uint64_t seed) {
  Scenario scenario;
  scenario.seed = seed;
  for (double weight : weights) {
    MixEntry entry;
    entry.weight = weight;
    for (std::size_t i = 0; i < prompts; ++i) entry.prompts.push_back("prompt " + std::to_string(i));
    scenario.mix.push_back(std::move(entry));
  }
  return scenario;
}

/// Sum of (seen - expected)^2 / expected.
double chi_square(const std::vector<std::uint64_t>& seen, const std::vector<double>& expected) {
  double sum = 0;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const double difference = static_cast<double>(seen[i]) - expected[i];
    sum += difference * difference / expected[i];
  }
  return sum;
}

bool same(const PlannedRequest& a, const PlannedRequest& b) {
  return a.index == b.index && a.entry == b.entry && a.prompt == b.prompt && a.nonce == b.nonce;
}

TEST(Plan, DrawsEntriesInProportionToTheirWeights) {
  const std::vector<double> weights = {3, 1, 0.5, 5.5};
  constexpr int draws = 100'000;
  for (std::uint64_t seed : seeds) {
    const Plan plan(scenario_of(weights, 1, seed));
    std::vector<std::uint64_t> seen(weights.size());
    for (std::uint64_t i = 0; i < draws; ++i) ++seen[plan.request(i).entry];
    // 3 degrees of freedom: above 21.1 with probability 1e-4. Seeds are fixed, so this cannot flicker.
    EXPECT_LT(chi_square(seen, {0.3 * draws, 0.1 * draws, 0.05 * draws, 0.55 * draws}), 21.1) << seed;
  }
}

TEST(Plan, DrawsPromptsUniformlyAndIndependentlyOfTheEntry) {
  constexpr int draws = 120'000;
  for (std::uint64_t seed : seeds) {
    const Plan plan(scenario_of({1, 1, 1}, 4, seed));
    std::vector<std::uint64_t> seen(12);
    for (std::uint64_t i = 0; i < draws; ++i) {
      const PlannedRequest request = plan.request(i);
      ++seen[request.entry * 4 + request.prompt];
    }
    // Uniform over all pairs means both uniform and independent. 11 degrees of freedom: 1e-4 at 37.4.
    EXPECT_LT(chi_square(seen, std::vector<double>(12, draws / 12.0)), 37.4) << seed;
  }
}

TEST(Plan, NeighbouringRequestsAreIndependent) {
  constexpr int draws = 90'000;
  const Plan plan(scenario_of({1, 1, 1}, 1, 7));
  std::vector<std::uint64_t> seen(9);
  for (std::uint64_t i = 0; i < draws; ++i) ++seen[plan.request(i).entry * 3 + plan.request(i + 1).entry];
  EXPECT_LT(chi_square(seen, std::vector<double>(9, draws / 9.0)), 31.8);  // 8 degrees of freedom, 1e-4
}

TEST(Plan, NoncesNeverRepeatWithinASeedAndDifferBetweenSeeds) {
  std::unordered_set<std::uint64_t> seen;
  constexpr std::uint64_t each = 50'000;
  for (std::uint64_t seed : seeds) {
    const Plan plan(scenario_of({1}, 1, seed));
    for (std::uint64_t i = 0; i < each; ++i) seen.insert(plan.request(i).nonce);
  }
  EXPECT_EQ(seen.size(), each * seeds.size());
}

TEST(Plan, SeedsGiveDifferentPlans) {
  const Plan one(scenario_of({1, 1}, 1, 1)), two(scenario_of({1, 1}, 1, 2));
  int equal = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) equal += one.request(i).entry == two.request(i).entry ? 1 : 0;
  EXPECT_NEAR(equal, 5000, 250);  // five standard deviations
}

TEST(Plan, AnswersTheSameInAnyOrderOnAnyThread) {
  const Scenario scenario = scenario_of({3, 1, 2}, 5, 42);
  const Plan plan(scenario), again(scenario);
  constexpr std::uint64_t count = 20'000;
  std::vector<PlannedRequest> forward(count);
  for (std::uint64_t i = 0; i < count; ++i) forward[i] = plan.request(i);

  std::vector<PlannedRequest> dealt(count);
  std::vector<std::thread> workers;
  for (std::uint64_t worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&, worker] {
      for (std::uint64_t i = count - 4 + worker; i < count; i -= 4)
        dealt[i] = plan.request(i);  // backwards; wraps to stop
    });
  }
  for (std::thread& worker : workers) worker.join();
  for (std::uint64_t i = 0; i < count; ++i) {
    ASSERT_TRUE(same(forward[i], dealt[i])) << i;
    ASSERT_TRUE(same(forward[i], again.request(i))) << i;
  }
}

TEST(Plan, StaysThePlanItWas) {  // a changed generator would silently make old seeds mean other runs
  const Plan plan(scenario_of({3, 1, 2}, 5, 42));
  EXPECT_EQ(plan.request(0).nonce, 0xfff9eca52ed0334U);
  EXPECT_EQ(plan.request(1'000'000'007).nonce, 0x60a403755bb25f5fU);
}

TEST(Plan, PutsTheNonceBeforeThePrompt) {
  Scenario scenario = scenario_of({1}, 1, 42);
  const PlannedRequest request{5, 0, 0, 0xabc};
  EXPECT_EQ(Plan(scenario).prompt_text(request), "[0000000000000abc] prompt 0");
  scenario.nonce = false;
  EXPECT_EQ(Plan(scenario).prompt_text(request), "prompt 0");
}

TEST(Plan, ReachesTheLastEntryAndPromptAndNoFurther) {
  const Plan plan(scenario_of({1e-6, 1e6, 1e-6}, 10'000, 9));
  for (std::uint64_t i = 0; i < 50'000; ++i) {
    const PlannedRequest request = plan.request(~std::uint64_t{0} - i);
    ASSERT_LT(request.entry, 3U);
    ASSERT_LT(request.prompt, 10'000U);
  }
}

}  // namespace
}  // namespace loadgen
