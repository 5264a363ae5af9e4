// The histogram against the published constants, against Java's figures and against a sorted vector.
#include "exporters/metrics/hdr_histogram.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <tuple>

namespace exporters {
namespace {

constexpr HdrConfig micro;  // 1 µs to 1 h, three digits

TEST(HdrLayout, has_the_sizes_of_the_java_library) {
  const std::vector<std::pair<HdrConfig, std::size_t>> table = {
      {{1, 3'600'000'000, 3}, 23'552},        {{1, 60'000'000'000, 3}, 27'648},    {{1, 3'600'000'000'000, 3}, 33'792},
      {{1, 3'600'000'000'000, 2}, 4'608},     {{1000, 60'000'000'000, 3}, 18'432}, {{1000, 60'000'000'000, 2}, 2'688},
      {{1000, 3'600'000'000'000, 3}, 24'576},
  };
  for (const auto& [config, slots] : table) EXPECT_EQ(HdrLayout(config).slot_count(), slots) << config.highest;
}

TEST(HdrLayout, maps_the_published_values) {
  const HdrLayout layout(micro);
  const std::vector<std::pair<std::int64_t, std::size_t>> table = {
      {0, 0}, {1, 1}, {1000, 1000}, {2047, 2047}, {2048, 2048}, {2049, 2048}, {4096, 3072}, {1'000'000, 11'169}};
  for (const auto& [value, slot] : table) EXPECT_EQ(layout.slot_of(value), slot) << value;
  EXPECT_EQ(layout.lowest_of(11'169), 999'936);
  EXPECT_EQ(layout.highest_of(11'169), 1'000'447);
  EXPECT_EQ(layout.median_of(11'169), 1'000'192);
}

TEST(HdrLayout, slots_tile_the_integers_and_are_narrow_enough) {
  for (const int digits : {1, 2, 3, 4, 5}) {
    for (const std::int64_t lowest : {1, 1000, 1'000'000}) {
      const HdrLayout layout(HdrConfig{lowest, 100'000'000'000, digits});
      for (std::size_t slot = 0; slot + 1 < layout.slot_count(); ++slot) {
        ASSERT_EQ(layout.highest_of(slot) + 1, layout.lowest_of(slot + 1));
        ASSERT_EQ(layout.slot_of(layout.lowest_of(slot)), slot);
        ASSERT_EQ(layout.slot_of(layout.highest_of(slot)), slot);
      }
      const std::size_t last = layout.slot_count() - 1;
      const double error = static_cast<double>(layout.width_of(last)) / static_cast<double>(layout.lowest_of(last));
      EXPECT_LE(error, std::pow(10.0, -digits));
    }
  }
}

TEST(HdrLayout, reaches_the_largest_integers) {
  const HdrConfig widest{1, INT64_MAX, 1};
  ASSERT_TRUE(is_valid(widest));
  const HdrLayout layout(widest);
  EXPECT_EQ(layout.slot_of(INT64_MAX), layout.slot_count() - 1);
  EXPECT_EQ(layout.highest_of(layout.slot_count() - 1), INT64_MAX);
}

TEST(HdrConfig, is_checked) {
  EXPECT_TRUE(is_valid(micro));
  for (const HdrConfig& bad :
       {HdrConfig{0, 100, 3}, HdrConfig{-1, 100, 3}, HdrConfig{100, 199, 3}, HdrConfig{1, 100, 0}, HdrConfig{1, 100, 6},
        HdrConfig{INT64_MAX, INT64_MAX, 3}, HdrConfig{1, -5, 3}, HdrConfig{std::int64_t{1} << 60, INT64_MAX, 3}})
    EXPECT_FALSE(is_valid(bad)) << bad.lowest << " " << bad.highest << " " << bad.digits;
  EXPECT_DEATH(HdrHistogram(HdrConfig{1, 100, 9}), "is_valid");
}

TEST(HdrHistogram, gives_javas_statistics) {
  HdrHistogram h;
  for (const std::int64_t value : {1, 1000, 1000, 2047, 2048, 1'000'000}) h.record(value);
  EXPECT_EQ(h.count(), 6U);
  EXPECT_EQ(h.min_value(), 1);
  EXPECT_EQ(h.max_value(), 1'000'447);
  EXPECT_NEAR(h.mean(), 167'714.833333, 1e-6);
  EXPECT_NEAR(h.stddev(), 372'295.768074, 1e-6);
  EXPECT_EQ(h.value_at_quantile(0.0), 1);
  EXPECT_EQ(h.value_at_quantile(0.5), 1000);
  EXPECT_EQ(h.value_at_quantile(0.9), 1'000'447);
  EXPECT_EQ(h.value_at_quantile(0.99), 1'000'447);
  EXPECT_EQ(h.value_at_quantile(1.0), 1'000'447);
}

TEST(HdrHistogram, gives_javas_statistics_with_a_coarse_unit) {
  HdrHistogram h({1000, 60'000'000'000, 2});
  h.record(0);
  h.record(999);
  h.record(250'000, 300);
  h.record(1'500'000, 20'000);
  h.record(3'000'000'000);
  EXPECT_EQ(h.count(), 20'303U);
  EXPECT_EQ(h.min_value(), 0);
  EXPECT_EQ(h.max_value(), 3'003'121'663);
  EXPECT_NEAR(h.mean(), 1'631'999.432596, 1e-6);
  EXPECT_NEAR(h.stddev(), 21'006'965.386248, 1e-5);
  for (const double q : {0.5, 0.9, 0.99, 0.999}) EXPECT_EQ(h.value_at_quantile(q), 1'507'327) << q;
  EXPECT_EQ(h.value_at_quantile(1.0), 3'003'121'663);
}

TEST(HdrHistogram, is_empty_at_first_and_after_reset) {
  HdrHistogram h;
  const auto expect_empty = [&] {
    EXPECT_EQ(std::tuple(h.count(), h.clamped(), h.min_value(), h.max_value()), std::tuple(0U, 0U, 0, 0));
    EXPECT_EQ(std::tuple(h.mean(), h.stddev(), h.value_at_quantile(0.5)), std::tuple(0.0, 0.0, 0));
    h.for_each_slot([](auto...) { FAIL() << "an empty histogram has no slots"; });
  };
  expect_empty();
  h.record(5);
  h.record(-1);
  h.record(3'600'000'000);
  h.reset();
  expect_empty();
  h.record(7);
  EXPECT_EQ(h.min_value(), 7);
  EXPECT_EQ(h.max_value(), 7);
}

TEST(HdrHistogram, clamps_and_counts_what_is_out_of_range) {
  HdrHistogram h;
  h.record(-1);
  h.record(INT64_MIN, 2);
  h.record(3'600'000'001, 3);
  h.record(INT64_MAX);
  h.record(3'600'000'000);
  EXPECT_EQ(h.clamped(), 7U);
  EXPECT_EQ(h.count(), 8U);
  EXPECT_EQ(h.min_value(), 0);
  EXPECT_EQ(h.max_value(), h.layout().highest_of(h.layout().slot_of(3'600'000'000)));
}

TEST(HdrHistogram, recording_nothing_touches_nothing) {
  HdrHistogram h;
  h.record(1'000'000, 0);
  h.record(10);
  EXPECT_EQ(h.max_value(), 10);
  EXPECT_EQ(h.count(), 1U);
}

TEST(HdrHistogram, percentiles_are_those_of_the_sorted_values) {
  std::mt19937_64 random(20'261'121);
  std::lognormal_distribution<double> values(10.0, 2.0);
  for (int round = 0; round < 20; ++round) {
    HdrHistogram h;
    std::vector<std::int64_t> sorted(1 + random() % 3000);
    for (auto& value : sorted) h.record(value = std::min(static_cast<std::int64_t>(values(random)), micro.highest));
    std::sort(sorted.begin(), sorted.end());
    for (const double q : {0.001, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1.0}) {
      const auto exact_rank = std::ceil(std::nextafter(q * 100, 0.0) * static_cast<double>(sorted.size()) / 100);
      const std::int64_t exact = sorted[static_cast<std::size_t>(std::max(exact_rank, 1.0)) - 1];
      ASSERT_EQ(h.value_at_quantile(q), h.layout().highest_of(h.layout().slot_of(exact)))
          << q << " of " << sorted.size();
    }
  }
}

TEST(HdrHistogram, an_exact_rank_stays_in_its_slot) {
  HdrHistogram h;
  for (std::int64_t value = 1; value <= 1000; ++value) h.record(value);
  EXPECT_EQ(h.value_at_quantile(0.5), 500);
  EXPECT_EQ(h.value_at_quantile(0.9), 900);
  EXPECT_EQ(h.value_at_quantile(0.95), 950);
  EXPECT_EQ(h.value_at_quantile(0.99), 990);
  EXPECT_EQ(h.value_at_quantile(0.999), 999);
}

TEST(HdrHistogram, ranks_stay_within_huge_counts) {
  HdrHistogram h;
  h.record(10, (std::uint64_t{1} << 62) - 3);
  h.record(20, 2);
  EXPECT_EQ(h.value_at_quantile(0.5), 10);
  EXPECT_GT(h.value_at_quantile(1.0), 0);
  EXPECT_LE(HdrHistogram::rank_at_quantile(1.0, h.count()), h.count());
  EXPECT_EQ(HdrHistogram::rank_at_quantile(0.5, 0), 1U);
}

TEST(HdrHistogram, adding_parts_equals_recording_the_whole) {
  std::mt19937_64 random(7);
  HdrHistogram whole;
  std::array<HdrHistogram, 3> parts;
  for (int i = 0; i < 10'000; ++i) {
    const auto value = static_cast<std::int64_t>(random() >> (random() % 60 + 4)) - 3;
    whole.record(value);
    parts[random() % 3].record(value);
  }
  HdrHistogram forward;
  HdrHistogram backward;
  for (std::size_t i = 0; i < 3; ++i) forward.add(parts[i]);
  for (std::size_t i = 3; i-- > 0;) backward.add(parts[i]);
  const auto slots = [](const HdrHistogram& h) {
    std::vector<std::tuple<std::size_t, std::int64_t, std::int64_t, std::uint64_t>> all;
    h.for_each_slot([&](auto... slot) { all.emplace_back(slot...); });
    return all;
  };
  EXPECT_EQ(slots(forward), slots(whole));
  EXPECT_EQ(slots(backward), slots(whole));
  EXPECT_EQ(forward.clamped(), whole.clamped());
  EXPECT_GT(whole.clamped(), 0U);
  EXPECT_EQ(forward.mean(), whole.mean());
}

TEST(HdrHistogram, adding_an_unused_one_changes_nothing) {
  HdrHistogram h;
  h.add(HdrHistogram());
  EXPECT_EQ(h.count(), 0U);
  h.record(3);
  h.add(HdrHistogram());
  EXPECT_EQ(h.max_value(), 3);
}

TEST(HdrHistogram, refuses_to_add_another_shape) {
  HdrHistogram h;
  const HdrHistogram other({1, 3'600'000'000, 2});
  EXPECT_DEATH(h.add(other), "config_");
}

TEST(HdrHistogram, a_copy_is_independent) {
  HdrHistogram original;
  original.record(10);
  HdrHistogram copy = original;
  copy.record(20);
  EXPECT_EQ(original.max_value(), 10);
  EXPECT_EQ(copy.max_value(), 20);
  original.reset();
  EXPECT_EQ(copy.count(), 2U);
}

}  // namespace
}  // namespace exporters
