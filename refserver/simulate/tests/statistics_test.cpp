// Percentiles by rank, and batch means whose intervals hold what they say.
#include "refserver/simulate/statistics.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "refserver/engine/distribution.hpp"
#include "refserver/engine/keyed_random.hpp"

namespace refserver {
namespace {

TEST(Statistics, PercentilesAreValuesOfTheSeries) {
  const std::vector<std::int64_t> ten{1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(percentile_of(ten, 0.5), 5);
  EXPECT_EQ(percentile_of(ten, 0.9), 9);
  EXPECT_EQ(percentile_of(ten, 0.91), 10);
  EXPECT_EQ(percentile_of(ten, 0.001), 1);
  EXPECT_EQ(percentile_of(std::vector<std::int64_t>{7}, 0.5), 7);
  EXPECT_DOUBLE_EQ(mean_of(ten), 5.5);
  EXPECT_DOUBLE_EQ(mean_of({}), 0);
}

Estimate percentile_estimate(const std::vector<std::int64_t>& series, double p) {
  std::vector<std::int64_t> sorted = series;
  std::ranges::sort(sorted);
  return estimate_percentile(series, sorted, p);
}

TEST(Statistics, StandardErrorIsThatOfTheBatches) {
  // Batches 1, 2, ..., 30: their deviation is sqrt(30 * 31 / 12).
  std::vector<std::int64_t> series;
  for (int batch = 1; batch <= 30; ++batch) series.insert(series.end(), 10, batch);
  const Estimate mean = estimate_mean(series);
  EXPECT_DOUBLE_EQ(mean.value, 15.5);
  const double error = std::sqrt(30.0 * 31 / 12 / 30);
  EXPECT_NEAR(mean.standard_error, error, 1e-12);
  EXPECT_NEAR(mean.high - mean.low, 2 * 2.756386 * error, 1e-9);
}

TEST(Statistics, PercentilesRangeOverTheSeries) {
  // Half of each batch is 10, but for two batches: the share up to 10 is 0.4, 0.6 and 28 times 0.5.
  std::vector<std::int64_t> series;
  for (int batch = 1; batch <= 30; ++batch) {
    const int tens = batch == 1 ? 40 : batch == 2 ? 60 : 50;
    for (int i = 0; i < 100; ++i) series.push_back(i < tens ? 10 : 10 + i);
  }
  const Estimate half = percentile_estimate(series, 0.5);
  EXPECT_EQ(half.value, 10);
  EXPECT_NEAR(half.standard_error, std::sqrt(0.02 / 29 / 30), 1e-12);
  EXPECT_EQ(half.low, 10);
  EXPECT_EQ(half.high, 61);  // 1.3 % further up
  EXPECT_EQ(percentile_estimate(series, 0.9999).high, 109);
  // One batch of 30 is all ones: where the top of the range lies, such a series cannot say.
  series.assign(3000, 0);
  std::fill_n(series.begin() + 500, 100, 1);
  EXPECT_EQ(percentile_estimate(series, 0.96).value, 0);
  EXPECT_TRUE(std::isinf(percentile_estimate(series, 0.96).high));
}

/// How many of 300 series of independent draws have an interval that holds the truth.
int covered(std::optional<double> p) {
  const Distribution of(ExponentialTime{1e6});
  const double truth = p ? of.quantile_ns(*p) : of.mean_ns();
  int count = 0;
  for (std::uint64_t run = 0; run < 300; ++run) {
    std::vector<std::int64_t> series;
    for (std::uint64_t i = 0; i < 6000; ++i) series.push_back(of.draw(keyed_uniform(run, Draw::gap, i, 0)).count());
    const Estimate found = p ? percentile_estimate(series, *p) : estimate_mean(series);
    count += truth >= found.low && truth <= found.high;
  }
  return count;
}

TEST(Statistics, NinetyNineOfAHundredIntervalsHoldTheTruth) {
  // Below 290 of 300 lie 0.2 % of honest outcomes; all the draws are fixed.
  EXPECT_GE(covered(std::nullopt), 290);
  EXPECT_GE(covered(0.5), 290);
  EXPECT_GE(covered(0.9), 290);
  EXPECT_GE(covered(0.99), 290);
}

}  // namespace
}  // namespace refserver
