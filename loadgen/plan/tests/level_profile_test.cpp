// Loads that change: levels, crossings, areas and their inverse, against what a drawing gives.
#include "loadgen/plan/level_profile.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace loadgen {
namespace {

using namespace std::chrono_literals;
constexpr std::int64_t s = 1'000'000'000;

const std::vector<Stage> hill = {{Stage::Shape::ramp, 10, 10s},
                                 {Stage::Shape::hold, 10, 5s},
                                 {Stage::Shape::hold, 4, 5s},
                                 {Stage::Shape::ramp, 0, 4s}};

TEST(LevelProfile, FollowsTheStages) {
  const LevelProfile profile(hill);
  EXPECT_DOUBLE_EQ(profile.level_at(0), 0);
  EXPECT_DOUBLE_EQ(profile.level_at(5 * s), 5);
  EXPECT_DOUBLE_EQ(profile.level_at(12 * s), 10);
  EXPECT_DOUBLE_EQ(profile.level_at(15 * s), 4);
  EXPECT_DOUBLE_EQ(profile.level_at(22 * s), 2);
  EXPECT_DOUBLE_EQ(profile.level_at(100 * s), 0);
  EXPECT_DOUBLE_EQ(profile.highest(), 10);
  EXPECT_EQ(profile.length_ns(), 24 * s);
}

TEST(LevelProfile, KnowsWhereItIsLevel) {
  const LevelProfile profile(hill);
  EXPECT_TRUE(profile.is_level(10 * s, 15 * s));
  EXPECT_TRUE(profile.is_level(16 * s, 20 * s));
  EXPECT_TRUE(profile.is_level(24 * s, 99 * s));
  EXPECT_FALSE(profile.is_level(9 * s, 15 * s));
  EXPECT_FALSE(profile.is_level(12 * s, 16 * s));
  EXPECT_FALSE(profile.is_level(0, 1));
}

TEST(LevelProfile, FindsTheNextInstantAboveALevel) {
  const LevelProfile profile(hill);
  EXPECT_EQ(profile.next_above(0, 0), 0);
  EXPECT_EQ(profile.next_above(3, 0), 3 * s);
  EXPECT_EQ(profile.next_above(3, 7 * s), 7 * s);
  EXPECT_EQ(profile.next_above(3, 20 * s), 20 * s);
  EXPECT_EQ(profile.next_above(3, 22 * s), std::nullopt) << "falls from 4 to 0 and stays";
  EXPECT_EQ(profile.next_above(10, 0), std::nullopt) << "reached, never exceeded";
  const LevelProfile gap({{Stage::Shape::hold, 5, 10s}, {Stage::Shape::hold, 0, 10s}, {Stage::Shape::hold, 5, 10s}});
  EXPECT_EQ(gap.next_above(2, 12 * s), 20 * s);
  EXPECT_EQ(gap.next_above(2, 500 * s), 500 * s);
}

TEST(LevelProfile, TheInverseOfTheAreaIsExact) {
  const LevelProfile profile(hill);
  EXPECT_DOUBLE_EQ(profile.area_at(24 * s), 50 + 50 + 20 + 8);
  std::int64_t last = 0;
  for (double area = 0; area < 128; area += 0.37) {
    const auto at = profile.time_of_area(area);
    ASSERT_TRUE(at) << area;
    EXPECT_GE(*at, last);
    EXPECT_NEAR(profile.area_at(*at), area, 1e-7) << area;
    last = *at;
  }
  EXPECT_EQ(profile.time_of_area(128.5), std::nullopt) << "the rate has come to an end";
}

}  // namespace
}  // namespace loadgen
