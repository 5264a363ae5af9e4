#include "loadgen/summarize/steadiness.hpp"

#include <gtest/gtest.h>

#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

const Window ten_seconds{0, 10 * sample::second};

std::vector<SeriesPoint> seconds(int count, double (*ttft)(int), double (*in_flight)(int)) {
  std::vector<SeriesPoint> series;
  for (int i = 0; i < count; ++i) {
    SeriesPoint point;
    point.at_s = i + 0.5;
    point.ttft_p50 = ttft(i);
    point.in_flight = static_cast<std::uint32_t>(in_flight(i));
    series.push_back(point);
  }
  return series;
}

double hundred(int) {
  return 100;
}
double rising(int i) {
  return 100 + 10 * i;
}
double shaking(int i) {
  return i % 2 == 0 ? 90 : 110;
}

TEST(Steadiness, FitsALineThroughTenSlices) {
  // 1, 2, ... 10 with one value moved by 1: worked by hand.
  const Trend trend = fit_trend({1, 2, 3, 4, 5, 6, 7, 8, 9, 11}, 2.0);
  EXPECT_DOUBLE_EQ(trend.mean, 5.6);
  EXPECT_NEAR(trend.slope_per_s, (82.5 + 4.5) / 82.5 / 2.0, 1e-12);
  // Residual sum 1 + ... = syy - sxy^2 / sxx with syy = 92.4, sxy = 87, sxx = 82.5.
  EXPECT_NEAR(trend.half_width_per_s, 2.306004135 * std::sqrt((92.4 - 87.0 * 87.0 / 82.5) / 8 / 82.5) / 2.0, 1e-9);
  EXPECT_NEAR(trend.change, trend.slope_per_s * 20, 1e-12);
  EXPECT_TRUE(trend.is_significant());
}

TEST(Steadiness, IsNotAssessedBelowTenWholeSeconds) {
  const auto result = assess_steadiness(seconds(9, hundred, hundred), ten_seconds);
  EXPECT_FALSE(result.ttft);
  EXPECT_FALSE(result.concurrency);
  EXPECT_FALSE(result.is_over_saturated());
}

TEST(Steadiness, LeavesOutWhatLiesOutsideTheWindow) {
  auto series = seconds(12, hundred, hundred);
  series[10].in_flight = 100000;  // drain
  series[11].in_flight = 100000;
  const auto result = assess_steadiness(series, ten_seconds);
  ASSERT_TRUE(result.concurrency);
  EXPECT_DOUBLE_EQ(result.concurrency->mean, 100);
  EXPECT_DOUBLE_EQ(result.concurrency->slope_per_s, 0);
}

TEST(Steadiness, SeesARiseAndIgnoresNoise) {
  const auto rise = assess_steadiness(seconds(10, rising, rising), ten_seconds);
  EXPECT_NEAR(rise.ttft->slope_per_s, 10, 1e-9);
  EXPECT_TRUE(rise.ttft_moves());
  EXPECT_TRUE(rise.is_over_saturated());

  const auto noise = assess_steadiness(seconds(10, shaking, shaking), ten_seconds);
  EXPECT_FALSE(noise.ttft_moves());
  EXPECT_FALSE(noise.is_over_saturated());
}

TEST(Steadiness, ASignificantButTinyChangeIsSteady) {
  const auto creeping = [](int i) { return 100 + 0.01 * i; };
  const auto result = assess_steadiness(seconds(10, creeping, hundred), ten_seconds);
  EXPECT_TRUE(result.ttft->is_significant());
  EXPECT_FALSE(result.ttft_moves());
}

TEST(Steadiness, FallingConcurrencyIsNoSaturation) {
  const auto falling = [](int i) { return 200.0 - 10 * i; };
  const auto result = assess_steadiness(seconds(10, hundred, falling), ten_seconds);
  EXPECT_TRUE(result.concurrency_moves());
  EXPECT_FALSE(result.is_over_saturated());
}

TEST(Steadiness, WithoutFirstTokensOnlyConcurrencyIsAssessed) {
  auto series = seconds(10, hundred, hundred);
  series[3].ttft_p50.reset();
  const auto result = assess_steadiness(series, ten_seconds);
  EXPECT_FALSE(result.ttft);
  EXPECT_TRUE(result.concurrency);
}

}  // namespace
}  // namespace loadgen
