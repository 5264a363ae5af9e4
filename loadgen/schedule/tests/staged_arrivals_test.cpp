// Gamma arrivals and rates that change, against theory. Virtual: nothing sleeps.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "loadgen/schedule/arrivals.hpp"

namespace loadgen {
namespace {

using namespace std::chrono_literals;

struct Gaps {
  double mean = 0, cv = 0, lag1 = 0;
};

Gaps gaps_of(const OpenLoop& load, std::uint64_t seed, int count) {
  ArrivalSequence sequence(load, seed);
  std::vector<double> gaps;
  std::int64_t last = 0;
  for (int i = 0; i < count; ++i) {
    const std::int64_t due = sequence.next();
    EXPECT_GE(due, last);
    gaps.push_back(static_cast<double>(due - last) * 1e-9);
    last = due;
  }
  Gaps seen;
  double variance = 0, covariance = 0;
  for (const double gap : gaps) seen.mean += gap / count;
  for (std::size_t i = 0; i < gaps.size(); ++i) {
    variance += (gaps[i] - seen.mean) * (gaps[i] - seen.mean);
    if (i > 0) covariance += (gaps[i] - seen.mean) * (gaps[i - 1] - seen.mean);
  }
  seen.cv = std::sqrt(variance / count) / seen.mean;
  seen.lag1 = covariance / variance;
  return seen;
}

TEST(GammaArrivals, HaveTheMeanRateAndTheCoefficientOfVariation) {
  constexpr int count = 200'000;
  for (const double shape : {0.111111, 0.5, 1.0, 4.0, 100.0}) {
    const double cv = 1 / std::sqrt(shape);
    for (const std::uint64_t seed : {1U, 42U}) {
      const Gaps seen = gaps_of({50, Arrivals::gamma, shape}, seed, count);
      EXPECT_NEAR(seen.mean * 50, 1, 5 * cv / std::sqrt(count)) << shape;
      EXPECT_NEAR(seen.cv / cv, 1, 0.03) << shape;
      EXPECT_LT(std::abs(seen.lag1), 5 / std::sqrt(count)) << shape << ": gaps are independent";
    }
  }
}

TEST(GammaArrivals, OfShapeOneAreExponential) {  // Kolmogorov and Smirnov
  constexpr std::size_t count = 20'000;
  ArrivalSequence sequence({50, Arrivals::gamma, 1}, 42);
  std::vector<double> gaps;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t due = sequence.next();
    gaps.push_back(static_cast<double>(due - last) * 1e-9);
    last = due;
  }
  std::sort(gaps.begin(), gaps.end());
  double distance = 0;
  for (std::size_t i = 0; i < count; ++i)
    distance = std::max(distance, std::abs(1 - std::exp(-gaps[i] * 50) - static_cast<double>(i) / count));
  EXPECT_LT(distance * std::sqrt(static_cast<double>(count)), 1.95);  // p = 0.001
}

/// Arrivals per second of the plan, averaged over seeds.
std::vector<double> per_second(const OpenLoop& load, int seconds, int seeds) {
  std::vector<double> counts(static_cast<std::size_t>(seconds));
  for (int seed = 0; seed < seeds; ++seed) {
    ArrivalSequence sequence(load, static_cast<std::uint64_t>(seed));
    for (std::int64_t due = sequence.next(); due < seconds * 1'000'000'000LL; due = sequence.next())
      counts[static_cast<std::size_t>(due / 1'000'000'000)] += 1.0 / seeds;
  }
  return counts;
}

TEST(StagedArrivals, FollowTheRateSecondBySecond) {
  const std::vector<Stage> stages = {{Stage::Shape::ramp, 200, 10s},
                                     {Stage::Shape::hold, 80, 5s},
                                     {Stage::Shape::hold, 0, 3s},
                                     {Stage::Shape::ramp, 100, 4s}};
  constexpr int seeds = 400;
  for (const Arrivals arrivals : {Arrivals::poisson, Arrivals::constant, Arrivals::gamma}) {
    const auto counts = per_second({200, arrivals, 4, stages}, 25, seeds);
    const LevelProfile profile(stages);
    for (std::size_t second = 0; second < counts.size(); ++second) {
      const auto begin = static_cast<std::int64_t>(second) * 1'000'000'000;
      const double expected = profile.area_at(begin + 1'000'000'000) - profile.area_at(begin);
      // At most Poisson scatter, averaged over the seeds; the constant process is off by at most one arrival.
      EXPECT_NEAR(counts[second], expected, 5 * std::sqrt(expected / seeds) + (arrivals == Arrivals::constant ? 1 : 0))
          << label(arrivals) << " in second " << second;
    }
  }
}

TEST(StagedArrivals, AreGammaInTheirOwnTime) {
  // Laid along the area under the rate, the gaps are those of a constant rate 1.
  const std::vector<Stage> stages = {{Stage::Shape::ramp, 1000, 100s}};
  const LevelProfile profile(stages);
  ArrivalSequence sequence({1000, Arrivals::gamma, 0.25, stages}, 9);
  double sum = 0, squares = 0, last = 0;
  constexpr int count = 40'000;
  for (int i = 0; i < count; ++i) {
    const double area = profile.area_at(sequence.next());
    sum += area - last;
    squares += (area - last) * (area - last);
    last = area;
  }
  const double mean = sum / count;
  EXPECT_NEAR(mean, 1, 0.05);
  EXPECT_NEAR(std::sqrt(squares / count - mean * mean) / mean, 2, 0.1);
}

TEST(StagedArrivals, EndWhenTheRateEndsAtNothing) {
  ArrivalSequence sequence({10, Arrivals::constant, 1, {{Stage::Shape::hold, 10, 2s}, {Stage::Shape::hold, 0, 1s}}}, 1);
  int sent = 0;
  while (sequence.next() != ArrivalSequence::never) ++sent;
  EXPECT_EQ(sent, 21);  // at 0 s, 0.1 s, ... 2.0 s
  EXPECT_EQ(sequence.next(), ArrivalSequence::never);
}

}  // namespace
}  // namespace loadgen
