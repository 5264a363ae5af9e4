#include "loadgen/summarize/tail_bound.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace loadgen {
namespace {

/// The sum of the definition, term by term, in logarithms.
double binomial_sum(double p, int n, int over) {
  double sum = 0;
  for (int x = 0; x <= over; ++x)
    sum += std::exp(std::lgamma(n + 1) - std::lgamma(x + 1) - std::lgamma(n - x + 1) + (n - x) * std::log(p) +
                    x * std::log1p(-p));
  return sum;
}

TEST(TailBound, IsTheBinomialSumOfTheDefinition) {
  for (const double p : {0.5, 0.9, 0.99})
    for (const int n : {10, 459, 1000})
      for (const int over : {0, 1, 5})
        EXPECT_NEAR(chance_of_so_few_over(p, static_cast<std::uint64_t>(n), static_cast<std::uint64_t>(over)),
                    binomial_sum(p, n, over), 1e-9);
}

struct MinimalCount {
  double quantile;
  std::array<std::uint64_t, 8> at_over;  // 0, 1, 2, 3, 5, 10, 20, 50 values above the bound
};

TEST(TailBound, NeedsTheMinimalCountsOfMlperf) {
  constexpr std::array<std::uint64_t, 8> over = {0, 1, 2, 3, 5, 10, 20, 50};
  const MinimalCount table[] = {
      {0.50, {7, 11, 14, 17, 22, 35, 59, 128}},
      {0.75, {17, 24, 31, 37, 49, 76, 126, 267}},
      {0.90, {44, 64, 81, 97, 127, 197, 325, 681}},
      {0.95, {90, 130, 165, 198, 259, 398, 656, 1372}},
      {0.97, {152, 219, 277, 332, 433, 667, 1097, 2293}},
      {0.99, {459, 662, 838, 1001, 1307, 2010, 3304, 6898}},
      {0.999, {4603, 6636, 8403, 10042, 13105, 20140, 33097, 69058}},
  };
  for (const auto& row : table)
    for (std::size_t i = 0; i < over.size(); ++i) {
      EXPECT_TRUE(proves_quantile(row.quantile, row.at_over[i], over[i])) << row.quantile << " over " << over[i];
      EXPECT_FALSE(proves_quantile(row.quantile, row.at_over[i] - 1, over[i])) << row.quantile << " over " << over[i];
    }
}

TEST(TailBound, AllowsAsManyOverTheLimitAsMlperf) {
  struct Row {
    std::uint64_t total, p90, p95, p99;
  };
  const Row table[] = {{500, 34, 13, 0},      {1000, 78, 34, 2},       {2000, 168, 77, 9},      {5000, 450, 214, 33},
                       {10000, 930, 449, 77}, {20000, 1901, 928, 167}, {50000, 4844, 2386, 448}};
  for (const auto& row : table) {
    EXPECT_EQ(most_allowed_over(0.90, row.total), row.p90) << row.total;
    EXPECT_EQ(most_allowed_over(0.95, row.total), row.p95) << row.total;
    EXPECT_EQ(most_allowed_over(0.99, row.total), row.p99) << row.total;
  }
  EXPECT_EQ(most_allowed_over(0.99, 458), std::nullopt);
  EXPECT_EQ(most_allowed_over(0.99, 0), std::nullopt);
}

exporters::Distribution one_to(int n) {
  exporters::Distribution values;
  for (int i = 1; i <= n; ++i) values.record_ns(std::int64_t{i} * 1000);
  return values;
}

TEST(TailBound, UpperBoundOfTenThousandIsThe77thFromTheTop) {
  // Sorted and counted from zero it is element 10000 - 77, the value 9924 µs; its slot is 8 µs wide and ends at 9927.
  EXPECT_DOUBLE_EQ(upper_bound_ms(one_to(10000), 0.99).value(), 9.927);
}

TEST(TailBound, UpperBoundNeedsOneValueToSpare) {
  EXPECT_EQ(upper_bound_ms(one_to(661), 0.99), std::nullopt);
  EXPECT_DOUBLE_EQ(upper_bound_ms(one_to(662), 0.99).value(), 0.662);
}

TEST(TailBound, CensoredValuesRankAboveAllOthers) {
  auto values = one_to(9990);
  for (int i = 0; i < 10; ++i) values.record_censored(5'000'000'000);
  EXPECT_DOUBLE_EQ(upper_bound_ms(values, 0.99).value(), 9.927);  // same rank, ten of those above it are censored
  auto many = one_to(9900);
  for (int i = 0; i < 100; ++i) many.record_censored(5'000'000'000);
  EXPECT_EQ(upper_bound_ms(many, 0.99), std::nullopt);
}

}  // namespace
}  // namespace loadgen
