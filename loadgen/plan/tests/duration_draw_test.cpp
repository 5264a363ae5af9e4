// Durations from distributions: how they are written, their moments, and that a draw depends on its index alone.
#include "loadgen/plan/duration_draw.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace loadgen {
namespace {

TEST(DurationDraw, IsReadAndWrittenBack) {
  for (const char* text : {"0s", "2s", "uniform(1s, 3s)", "exp(500ms)", "gamma(2s, 0.5)", "lognormal(1m30s, 1.5)"}) {
    const auto draw = parse_duration_draw(text);
    ASSERT_TRUE(draw.has_value()) << text;
    EXPECT_EQ(draw_text(*draw), text);
  }
  EXPECT_EQ(draw_text(*parse_duration_draw("  gamma( 2s ,0.50 ) ")), "gamma(2s, 0.5)");
}

TEST(DurationDraw, RefusesEverythingElse) {
  for (const char* text :
       {"", " ", "2", "-2s", "2h", "exp", "exp()", "exp(2s", "exp(2s, 1)", "uniform(2s)", "uniform(3s, 1s)",
        "gamma(2s, 0)", "gamma(2s, -1)", "gamma(2s, 101)", "gamma(2s, 1s)", "normal(2s, 1)", "exp(2s))", ")("})
    EXPECT_FALSE(parse_duration_draw(text).has_value()) << text;
}

struct Moments {
  double mean = 0, cv = 0;
};
Moments moments_of(const char* text) {
  const auto draw = *parse_duration_draw(text);
  constexpr int count = 200'000;
  double sum = 0, squares = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto x = static_cast<double>(drawn(draw, 42, Draw::think_time, i).count()) * 1e-9;
    sum += x;
    squares += x * x;
  }
  const double mean = sum / count;
  return {mean, std::sqrt(squares / count - mean * mean) / mean};
}

TEST(DurationDraw, HasTheMomentsItClaims) {  // seeds are fixed: the tolerances are some five standard errors
  const struct {
    const char* text;
    double mean, cv;
  } cases[] = {{"2s", 2, 0},           {"uniform(1s, 3s)", 2, 1 / std::sqrt(12.0)},
               {"exp(2s)", 2, 1},      {"gamma(2s, 0.5)", 2, 0.5},
               {"gamma(2s, 3)", 2, 3}, {"lognormal(2s, 0.5)", 2, 0.5}};
  for (const auto& c : cases) {
    const Moments seen = moments_of(c.text);
    EXPECT_NEAR(seen.mean / c.mean, 1, 0.002 + 0.012 * c.cv) << c.text;
    EXPECT_NEAR(seen.cv, c.cv, 0.005 + 0.04 * c.cv) << c.text;
  }
}

TEST(DurationDraw, DependsOnItsIndexAlone) {
  const auto draw = *parse_duration_draw("gamma(2s, 3)");
  const auto fifth = drawn(draw, 1, Draw::think_time, 5);
  for (std::uint64_t i = 0; i < 100; ++i) drawn(draw, 1, Draw::think_time, i);
  EXPECT_EQ(drawn(draw, 1, Draw::think_time, 5), fifth);
  EXPECT_NE(drawn(draw, 2, Draw::think_time, 5), fifth);
  EXPECT_NE(drawn(draw, 1, Draw::arrival_gap, 5), fifth);
}

}  // namespace
}  // namespace loadgen
