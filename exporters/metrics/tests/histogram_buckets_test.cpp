// Fixed edges, inclusive upper bounds, and counting from several threads.
#include "exporters/metrics/histogram_buckets.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>

namespace exporters {
namespace {

TEST(HistogramBuckets, has_tgis_duration_edges) {
  const auto edges = tgi_duration_edges();
  ASSERT_EQ(edges.size(), 35U);
  EXPECT_EQ(edges[0], 0.00015000000000000001);
  EXPECT_EQ(edges[1], 0.00022500000000000002);
  EXPECT_EQ(edges[2], 0.0003375);
  EXPECT_EQ(edges[33], 97.07397373664756);
  EXPECT_EQ(edges[34], 145.61096060497135);
}

TEST(HistogramBuckets, has_fine_edges_from_a_tenth_of_a_millisecond_to_ten_minutes) {
  const auto edges = fine_duration_edges();
  ASSERT_EQ(edges.size(), 91U);
  EXPECT_DOUBLE_EQ(edges.front(), 0.0001);
  EXPECT_DOUBLE_EQ(edges[4], 0.0002);
  EXPECT_NEAR(edges.back(), 593.2, 0.1);
  HistogramBuckets accepts(edges);
}

TEST(HistogramBuckets, counts_a_value_in_the_first_bucket_that_holds_it) {
  HistogramBuckets h({1.0, 2.0, 4.0});
  for (const double value : {-3.0, 0.5, 1.0, 1.5, 2.0, 4.0, 4.1, 1e9}) h.observe(value);
  h.observe(std::numeric_limits<double>::quiet_NaN());
  const HistogramSnapshot now = h.snapshot();
  EXPECT_EQ(now.counts, (std::vector<std::uint64_t>{3, 2, 1, 2}));
  EXPECT_EQ(now.count(), 8U);
  EXPECT_DOUBLE_EQ(now.sum, 1e9 + 10.1);
  EXPECT_EQ(now.edges, (std::vector<double>{1.0, 2.0, 4.0}));
}

TEST(HistogramBuckets, refuses_edges_that_do_not_ascend) {
  EXPECT_DEATH(HistogramBuckets({1.0, 1.0}), "edges_");
  EXPECT_DEATH(HistogramBuckets({2.0, 1.0}), "edges_");
  EXPECT_DEATH(HistogramBuckets({1.0, INFINITY}), "is_finite");
}

TEST(HistogramBuckets, loses_nothing_between_threads) {
  HistogramBuckets h({1.0, 2.0});
  constexpr int each = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t)
    threads.emplace_back([&h, t] {
      for (int i = 0; i < each; ++i) h.observe(t + 0.5);
    });
  for (auto& thread : threads) thread.join();
  const HistogramSnapshot now = h.snapshot();
  EXPECT_EQ(now.counts, (std::vector<std::uint64_t>{each, each, each}));
  EXPECT_DOUBLE_EQ(now.sum, each * 4.5);
}

}  // namespace
}  // namespace exporters
