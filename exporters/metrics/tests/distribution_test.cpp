// A latency metric: exact moments, percentiles with censored values, floors.
#include "exporters/metrics/distribution.hpp"

#include <gtest/gtest.h>

#include <array>
#include <random>

namespace exporters {
namespace {

constexpr std::int64_t ms = 1'000'000;

TEST(PercentileFloor, is_the_published_table) {
  const std::vector<std::pair<double, std::uint64_t>> table = {{0.0, 1},      {0.25, 1},   {0.5, 1},    {0.75, 24},
                                                               {0.9, 64},     {0.95, 130}, {0.97, 219}, {0.99, 662},
                                                               {0.999, 6636}, {1.0, 1}};
  for (const auto& [q, floor] : table) EXPECT_EQ(percentile_floor(q), floor) << q;
}

TEST(Distribution, is_empty_at_first_and_after_reset) {
  Distribution d;
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(d.count() + d.censored(), 0U);
    EXPECT_EQ(d.mean_ms() + d.std_ms() + d.min_ms() + d.max_ms(), 0.0);
    EXPECT_FALSE(d.percentile_ms(0.5));
    EXPECT_FALSE(d.percentile_ms(0.0));
    EXPECT_FALSE(d.censored_above_ms());
    d.record_ns(5 * ms, 3);
    d.record_censored(7 * ms);
    d.reset();
  }
}

TEST(Distribution, keeps_exact_moments) {
  Distribution d;
  for (const std::int64_t value : {2, 4, 4, 4, 5, 5, 7, 9}) d.record_ns(value * ms);
  EXPECT_EQ(d.count(), 8U);
  EXPECT_DOUBLE_EQ(d.mean_ms(), 5.0);
  EXPECT_DOUBLE_EQ(d.std_ms(), 2.0);
  EXPECT_DOUBLE_EQ(d.min_ms(), 2.0);
  EXPECT_DOUBLE_EQ(d.max_ms(), 9.007);  // the highest value equivalent to 9000 µs, as Java has it
  EXPECT_DOUBLE_EQ(*d.percentile_ms(1.0), d.max_ms());
  EXPECT_DOUBLE_EQ(*d.percentile_ms(0.0), d.min_ms());
}

TEST(Distribution, moments_do_not_lose_small_spreads_on_large_values) {
  Distribution d;
  for (int i = 0; i < 1000; ++i) d.record_ns(3'000'000 * ms + (i % 2) * 2);
  EXPECT_NEAR(d.std_ms(), 1e-6, 1e-8);
}

TEST(Distribution, rounds_to_the_nearest_microsecond) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> table = {{0, 0},    {499, 0},          {500, 1}, {1499, 1},
                                                                    {1500, 2}, {1'999'499, 1999}, {-499, 0}};
  for (const auto& [ns, us] : table) {
    Distribution d;
    d.record_ns(ns);
    EXPECT_EQ(d.histogram().max_value(), us) << ns;
    EXPECT_EQ(d.histogram().clamped(), 0U) << ns;
  }
  Distribution d;
  d.record_ns(-501);
  d.record_ns(INT64_MAX);
  d.record_ns(INT64_MIN);
  EXPECT_EQ(d.histogram().clamped(), 3U);
}

TEST(Distribution, counts_a_repeated_value_as_often_as_told) {
  Distribution once;
  Distribution repeated;
  for (int i = 0; i < 40; ++i) once.record_ns(3 * ms);
  for (int i = 0; i < 60; ++i) once.record_ns(8 * ms);
  repeated.record_ns(3 * ms, 40);
  repeated.record_ns(8 * ms, 60);
  repeated.record_ns(1, 0);
  EXPECT_EQ(repeated.count(), once.count());
  EXPECT_DOUBLE_EQ(repeated.mean_ms(), once.mean_ms());
  EXPECT_NEAR(repeated.std_ms(), once.std_ms(), 1e-12);
  EXPECT_EQ(repeated.percentile_ms(0.4), once.percentile_ms(0.4));
  EXPECT_DOUBLE_EQ(*repeated.percentile_ms(0.4), 3.001);
  EXPECT_DOUBLE_EQ(*repeated.percentile_ms(0.41), 8.003);
}

TEST(Distribution, censored_values_rank_above_all_others) {
  Distribution d;
  for (std::int64_t i = 1; i <= 98; ++i) d.record_ns(i * ms);
  d.record_censored(5000 * ms);
  d.record_censored(3000 * ms);
  EXPECT_EQ(d.count(), 98U);
  EXPECT_EQ(d.censored(), 2U);
  EXPECT_DOUBLE_EQ(*d.censored_above_ms(), 3000.0);
  EXPECT_DOUBLE_EQ(*d.percentile_ms(0.5), 50.015);   // rank 50 of 100, not 49 of 98
  EXPECT_DOUBLE_EQ(*d.percentile_ms(0.98), 98.047);  // the last measured one
  EXPECT_FALSE(d.percentile_ms(0.99));
  EXPECT_FALSE(d.percentile_ms(1.0));
  EXPECT_DOUBLE_EQ(d.mean_ms(), 49.5);
  EXPECT_DOUBLE_EQ(d.max_ms(), 98.047);
}

TEST(Distribution, only_censored_values_give_no_percentile) {
  Distribution d;
  d.record_censored(10 * ms);
  EXPECT_FALSE(d.percentile_ms(0.0));
  EXPECT_FALSE(d.percentile_ms(0.5));
  EXPECT_EQ(d.mean_ms(), 0.0);
}

TEST(Distribution, reports_a_percentile_from_its_floor_on) {
  Distribution d;
  d.record_ns(ms, 661);
  EXPECT_FALSE(d.reportable_percentile_ms(0.99));
  EXPECT_TRUE(d.reportable_percentile_ms(0.95));
  EXPECT_TRUE(d.reportable_percentile_ms(0.5));
  d.record_censored(ms);
  EXPECT_TRUE(d.reportable_percentile_ms(0.99));
  EXPECT_FALSE(d.reportable_percentile_ms(0.999));
}

TEST(Distribution, adding_parts_equals_recording_the_whole) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> values(17.0, 1.0);
  Distribution whole;
  std::array<Distribution, 4> parts;
  for (int i = 0; i < 20'000; ++i) {
    const auto ns = static_cast<std::int64_t>(values(random));
    whole.record_ns(ns);
    parts[random() % 3].record_ns(ns);  // the fourth stays empty
  }
  parts[1].record_censored(9 * ms);
  parts[2].record_censored(4 * ms);
  whole.record_censored(4 * ms);
  whole.record_censored(9 * ms);
  Distribution sum;
  for (const Distribution& part : parts) sum.add(part);
  EXPECT_EQ(sum.count(), whole.count());
  EXPECT_EQ(sum.censored(), whole.censored());
  EXPECT_EQ(sum.censored_above_ms(), whole.censored_above_ms());
  EXPECT_NEAR(sum.mean_ms(), whole.mean_ms(), 1e-9 * whole.mean_ms());
  EXPECT_NEAR(sum.std_ms(), whole.std_ms(), 1e-9 * whole.std_ms());
  for (const double q : {0.0, 0.5, 0.9, 0.999}) EXPECT_EQ(sum.percentile_ms(q), whole.percentile_ms(q)) << q;
}

}  // namespace
}  // namespace exporters
