// The three rules, their order, and stop strings across token borders.
#include "refserver/schedule/stop_rules.hpp"

#include <gtest/gtest.h>

namespace refserver {
namespace {

TEST(StopRules, LengthComesBeforeEosBeforeStopStrings) {
  StopRules rules({2, 0, false}, {"b"});
  EXPECT_EQ(rules.after({1, true, "b"}), FinishReason::eos_token);
  EXPECT_EQ(rules.after({1, false, "b"}), FinishReason::stop_sequence);
  EXPECT_EQ(rules.after({2, true, "b"}), FinishReason::length);
}

TEST(StopRules, EosCountsOnlyWhereItMay) {
  StopRules ignoring({10, 0, true}, {});
  EXPECT_EQ(ignoring.after({1, true, ""}), std::nullopt);
  StopRules later({10, 2, false}, {});
  EXPECT_EQ(later.after({1, true, ""}), std::nullopt);
  EXPECT_EQ(later.after({2, true, ""}), std::nullopt);
  EXPECT_EQ(later.after({3, true, ""}), FinishReason::eos_token);
}

TEST(StopRules, StopStringsCrossTokens) {
  StopRules rules({100, 0, false}, {"END", "x y"});
  EXPECT_EQ(rules.after({1, false, " E"}), std::nullopt);
  EXPECT_EQ(rules.after({2, false, "N"}), std::nullopt);
  EXPECT_EQ(rules.after({3, false, "D"}), FinishReason::stop_sequence);
}

TEST(StopRules, AStopStringInsideATokenDoesNotCount) {
  StopRules rules({100, 0, false}, {"END"});
  EXPECT_EQ(rules.after({1, false, "ENDING"}), std::nullopt);
  EXPECT_EQ(rules.after({2, false, "END"}), FinishReason::stop_sequence);
}

TEST(StopRules, TheTailIsAsLongAsTheLongestString) {
  StopRules rules({1000, 0, false}, {"a", "abcdefgh"});
  for (std::uint32_t i = 1; i < 500; ++i) ASSERT_EQ(rules.after({i, false, "xyz"}), std::nullopt);
  EXPECT_EQ(rules.after({500, false, "abcd"}), std::nullopt);
  EXPECT_EQ(rules.after({501, false, "efgh"}), FinishReason::stop_sequence);
}

TEST(StopRules, AnEmptyStringEndsAtOnce) {
  StopRules rules({100, 0, false}, {""});
  EXPECT_EQ(rules.after({1, false, "a"}), FinishReason::stop_sequence);
}

}  // namespace
}  // namespace refserver
