// The warm-up rule on loads that level off, keep growing, are noisy, or never answer.
#include "loadgen/schedule/warmup_rule.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace loadgen {
namespace {

/// Seconds until the rule says something, sampling ten times a second; `ended` is the number of endings per second.
double decided_at(const std::function<double(double)>& in_flight, double ended_per_s, WarmupRule::State& state) {
  WarmupRule rule;
  double at = 0;
  for (int i = 0; i < 1000 && rule.state() == WarmupRule::State::running; ++i) {
    at = i * 0.1;
    rule.sample(at, in_flight(at), static_cast<std::uint64_t>(at * ended_per_s));
  }
  state = rule.state();
  return at;
}

TEST(WarmupRule, ALevelLoadIsSteadyAfterTheLeastTime) {
  WarmupRule::State state{};
  const double at = decided_at([](double) { return 120.0; }, 100, state);
  EXPECT_EQ(state, WarmupRule::State::steady);
  EXPECT_GE(at, 10.0);
  EXPECT_LE(at, 14.1);
}

TEST(WarmupRule, AGrowingLoadIsNotSteadyUntilItLevels) {
  WarmupRule::State state{};
  const double at = decided_at([](double t) { return t < 30 ? 10 + 10 * t : 310.0; }, 200, state);
  EXPECT_EQ(state, WarmupRule::State::steady);
  EXPECT_GE(at, 24.0);
}

TEST(WarmupRule, ALoadThatKeepsGrowingIsGivenUp) {
  WarmupRule::State state{};
  const double at = decided_at([](double t) { return std::exp(t / 8); }, 50, state);
  EXPECT_EQ(state, WarmupRule::State::given_up);
  EXPECT_NEAR(at, 60, 0.2);
}

TEST(WarmupRule, NoiseOfAPoissonLoadIsTolerated) {
  std::mt19937 random(7);
  std::poisson_distribution<int> poisson(10);
  WarmupRule::State state{};
  decided_at([&](double) { return poisson(random); }, 100, state);
  EXPECT_EQ(state, WarmupRule::State::steady);
}

TEST(WarmupRule, LongRequestsNeedTwiceTheirLength) {
  WarmupRule::State state{};
  const double at = decided_at([](double) { return 100.0; }, 10, state);  // Little: 10 s each
  EXPECT_EQ(state, WarmupRule::State::steady);
  EXPECT_GE(at, 20.0);
}

TEST(WarmupRule, WithoutAnyEndingItIsNeverSteady) {
  WarmupRule::State state{};
  decided_at([](double) { return 5.0; }, 0, state);
  EXPECT_EQ(state, WarmupRule::State::given_up);
}

}  // namespace
}  // namespace loadgen
