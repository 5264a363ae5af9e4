// Lengths from distributions: how they are written, their moments and limits, and that a draw depends on its index
// alone.
#include "loadgen/plan/length_draw.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace loadgen {
namespace {

using testing::HasSubstr;

constexpr std::uint64_t seed = 42;

TEST(LengthDraw, IsReadAndWrittenBack) {
  for (const char* text : {"uniform(16, 256)", "normal(200, 0.3)", "normal(200, 0.3, 400)", "lognormal(200, 1.2, 4096)",
                           "histogram(a.txt)"}) {
    const auto draw = parse_length_draw(text);
    ASSERT_TRUE(draw.has_value()) << text;
    EXPECT_EQ(draw_text(*draw), text);
  }
  EXPECT_EQ(draw_text(*parse_length_draw("  lognormal( 20 ,0.50 ) ")), "lognormal(20, 0.5)");
}

TEST(LengthDraw, RefusesEverythingElse) {
  for (const char* text : {"",
                           " ",
                           "12",
                           "many",
                           "uniform",
                           "uniform()",
                           "uniform(1)",
                           "uniform(0, 5)",
                           "uniform(5, 4)",
                           "uniform(1, 1000001)",
                           "uniform(1, 2, 3)",
                           "normal(5, 0)",
                           "normal(5, -1)",
                           "normal(5, 101)",
                           "normal(5)",
                           "normal(5, 1, 4)",
                           "normal(1.5, 1)",
                           "lognormal(5, 1, 9, 9)",
                           "exp(5)",
                           "histogram()",
                           "histogram(a, b)",
                           "uniform(1, 2",
                           ")("}) {
    const auto draw = parse_length_draw(text);
    ASSERT_FALSE(draw.has_value()) << text;
    EXPECT_THAT(draw.error(), HasSubstr("uniform(16, 256)"));
  }
}

struct Moments {
  double mean = 0, cv = 0;
};
Moments moments_of(const LengthDraw& draw) {
  constexpr int count = 200'000;
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const double x = drawn(draw, seed, Draw::output_tokens, i);
    sum += x;
    squares += x * x;
  }
  const double mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean) / mean};
}

TEST(LengthDraw, HasTheMomentsItSays) {
  const Moments normal = moments_of(*parse_length_draw("normal(500, 0.2)"));
  EXPECT_NEAR(normal.mean, 500, 2);
  EXPECT_NEAR(normal.cv, 0.2, 0.005);
  const Moments lognormal = moments_of(*parse_length_draw("lognormal(200, 1)"));
  EXPECT_NEAR(lognormal.mean, 200, 4);
  EXPECT_NEAR(lognormal.cv, 1, 0.05);
  const Moments uniform = moments_of(*parse_length_draw("uniform(1, 9)"));
  EXPECT_NEAR(uniform.mean, 5, 0.05);
  EXPECT_NEAR(uniform.cv, std::sqrt(80.0 / 12) / 5, 0.01);
}

TEST(LengthDraw, StaysWithinItsLimits) {
  for (const char* text : {"uniform(3, 5)", "normal(4, 2, 5)", "lognormal(4, 3, 5)"}) {
    const LengthDraw draw = *parse_length_draw(text);
    std::uint32_t least = UINT32_MAX, most = 0;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
      const std::uint32_t length = drawn(draw, seed, Draw::output_tokens, i);
      least = std::min(least, length);
      most = std::max(most, length);
    }
    EXPECT_EQ(least, smallest_of(draw)) << text;
    EXPECT_EQ(most, 5U) << text;
  }
  EXPECT_EQ(mean_of(*parse_length_draw("uniform(3, 5)")), 4U);
}

TEST(LengthDraw, AHistogramIsDrawnInItsShares) {
  LengthDraw draw = *parse_length_draw("histogram(lengths.txt)");
  auto bins = parse_length_histogram("# tokens, requests\n128 1\r\n\n 16,2\n1024\t0\n64 1\n");
  ASSERT_TRUE(bins.has_value()) << bins.error();
  draw.bins = *bins;
  std::map<std::uint32_t, int> counts;
  for (std::uint64_t i = 0; i < 40'000; ++i) ++counts[drawn(draw, seed, Draw::output_tokens, i)];
  ASSERT_EQ(counts.size(), 3U) << "a length without weight is never drawn";
  EXPECT_NEAR(counts[16], 20'000, 600);
  EXPECT_NEAR(counts[64], 10'000, 600);
  EXPECT_NEAR(counts[128], 10'000, 600);
  EXPECT_EQ(mean_of(draw), 56U);
  EXPECT_EQ(smallest_of(draw), 16U);
}

TEST(LengthDraw, AHistogramThatIsNoneIsRefusedByLine) {
  for (const char* text : {"128", "128 x", "0 1", "1000001 1", "128 -1", "128 1 1", "128 nan", "a 1"}) {
    const auto bins = parse_length_histogram(std::string("16 1\n") + text);
    ASSERT_FALSE(bins.has_value()) << text;
    EXPECT_THAT(bins.error(), HasSubstr("in line 2"));
  }
  for (const char* text : {"", "# nothing\n", "16 0\n"})
    EXPECT_THAT(parse_length_histogram(text).error(), HasSubstr("no length")) << text;
}

TEST(LengthDraw, DependsOnSeedAndIndexAlone) {
  const LengthDraw draw = *parse_length_draw("lognormal(200, 1)");
  const std::uint32_t seventh = drawn(draw, seed, Draw::output_tokens, 7);
  drawn(draw, seed, Draw::output_tokens, 6);
  EXPECT_EQ(drawn(draw, seed, Draw::output_tokens, 7), seventh);
  EXPECT_NE(drawn(draw, seed + 1, Draw::output_tokens, 7), seventh);
}

}  // namespace
}  // namespace loadgen
