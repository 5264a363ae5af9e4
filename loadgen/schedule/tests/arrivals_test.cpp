// Arrival offsets against the distributions they claim.
#include "loadgen/schedule/arrivals.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace loadgen {
namespace {

constexpr std::uint64_t seeds[] = {0, 1, 2, 42, 1'000'003};

std::vector<double> gaps_s(double rate, std::uint64_t seed, std::size_t count) {
  ArrivalSequence sequence({rate, Arrivals::poisson}, seed);
  std::vector<double> gaps;
  std::int64_t last = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t due = sequence.next();
    gaps.push_back(static_cast<double>(due - last) / 1e9);
    last = due;
  }
  return gaps;
}

TEST(ConstantArrivals, AreExactMultiplesOfTheGap) {
  for (double rate : {1.0, 3.0, 200.0, 0.1, 1e6, 7.77}) {
    ArrivalSequence sequence({rate, Arrivals::constant}, 1);
    for (std::uint64_t i = 0; i < 100'000; ++i) {
      const long double exact_ns = static_cast<long double>(i) * 1e9L / static_cast<long double>(rate);
      ASSERT_LE(std::abs(static_cast<long double>(sequence.next()) - exact_ns), 0.51L) << rate << " at " << i;
    }
  }
}

TEST(ConstantArrivals, StartAtZeroAndDoNotDrift) {
  ArrivalSequence sequence({300, Arrivals::constant}, 1);
  EXPECT_EQ(sequence.next(), 0);
  std::int64_t due = 0;
  for (int i = 1; i <= 9'000'000; ++i) due = sequence.next();
  EXPECT_EQ(due, 30'000'000'000'000);  // nine million at 300/s: exactly 30,000 s
}

TEST(PoissonArrivals, HaveTheMeanRate) {
  constexpr std::size_t count = 100'000;
  for (std::uint64_t seed : seeds) {
    double sum = 0;
    for (double gap : gaps_s(200, seed, count)) sum += gap;
    // The relative standard error of a mean of 100,000 exponential gaps is 0.32 %; four of them.
    EXPECT_NEAR(sum / count * 200, 1.0, 0.0127) << seed;
  }
}

TEST(PoissonArrivals, HaveExponentialGaps) {  // Kolmogorov-Smirnov
  constexpr std::size_t count = 20'000;
  for (std::uint64_t seed : seeds) {
    std::vector<double> gaps = gaps_s(50, seed, count);
    std::sort(gaps.begin(), gaps.end());
    double distance = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const double expected = 1 - std::exp(-gaps[i] * 50);
      const double below = static_cast<double>(i) / count, above = static_cast<double>(i + 1) / count;
      distance = std::max({distance, std::abs(expected - below), std::abs(expected - above)});
    }
    EXPECT_LT(distance * std::sqrt(static_cast<double>(count)), 1.95) << seed;  // p = 0.001
  }
}

TEST(PoissonArrivals, HaveUncorrelatedGaps) {
  constexpr std::size_t count = 50'000;
  for (std::uint64_t seed : seeds) {
    const std::vector<double> gaps = gaps_s(1, seed, count);
    double mean = 0, variance = 0, covariance = 0;
    for (double gap : gaps) mean += gap / count;
    for (double gap : gaps) variance += (gap - mean) * (gap - mean);
    for (std::size_t i = 1; i < count; ++i) covariance += (gaps[i] - mean) * (gaps[i - 1] - mean);
    EXPECT_LT(std::abs(covariance / variance), 4 / std::sqrt(static_cast<double>(count))) << seed;
  }
}

TEST(PoissonArrivals, CountsPerSliceScatterAsPoisson) {
  constexpr int slices = 10'000;
  ArrivalSequence sequence({1000, Arrivals::poisson}, 42);
  std::vector<double> counts(slices);
  for (std::int64_t due = sequence.next(); due < slices * 10'000'000LL; due = sequence.next()) {
    ++counts[static_cast<std::size_t>(due / 10'000'000)];
  }
  double dispersion = 0;  // (n - 10)^2 / 10 summed is chi-square: mean 10,000, standard deviation 141
  for (double n : counts) dispersion += (n - 10) * (n - 10) / 10;
  EXPECT_NEAR(dispersion, slices, 4 * 141.4);
}

TEST(PoissonArrivals, NeverStepBackAndDoNotDriftOverTenMillion) {
  const OpenLoop load{25'000, Arrivals::poisson};
  ArrivalSequence sequence(load, 42);
  ArrivalSequence scaled({1, Arrivals::poisson}, 42);  // the same gaps, 25,000 times as long: rounded far finer
  std::int64_t last = 0;
  for (int i = 0; i < 10'000'000; ++i) {
    const std::int64_t due = sequence.next();
    ASSERT_GE(due, last) << i;
    last = due;
    const double reference = static_cast<double>(scaled.next()) / load.rate;
    if (i % 100'000 == 0) {
      ASSERT_NEAR(static_cast<double>(due), reference, 1.0) << i;
    }
  }
  EXPECT_NEAR(static_cast<double>(last) / 1e9, 400.0, 400.0 * 4 / std::sqrt(1e7));
}

TEST(PoissonArrivals, RepeatForASeedAndDifferBetweenSeeds) {
  EXPECT_EQ(gaps_s(10, 42, 1000), gaps_s(10, 42, 1000));
  EXPECT_NE(gaps_s(10, 42, 1000), gaps_s(10, 43, 1000));
  ArrivalSequence first({10, Arrivals::poisson}, 1);
  EXPECT_GT(first.next(), 0);
}

}  // namespace
}  // namespace loadgen
