// The verdicts of a GPU check, from made-up measurements.
#include "kernels/cuda/gpu_check/goals.hpp"

#include <gmock/gmock.h>

namespace kernels::gpu_check {
namespace {

using ::testing::HasSubstr;

TEST(GpuGoals, AreOpenWhereNothingWasMeasured) {
  for (const Verdict& verdict : Goals().verdicts()) {
    EXPECT_FALSE(verdict.holds.has_value()) << verdict.goal;
    EXPECT_EQ(verdict.why, "not measured");
  }
  EXPECT_EQ(Goals().verdicts().size(), 3U);
}

TEST(GpuGoals, HoldAtTheirLimits) {
  Goals goals;
  goals.copied(1e12);
  goals.multiplied("a", 80e6, 1, 100e-6);  // 0.8 of the copy
  goals.multiplied("a", 80e6, 16, 130e-6);
  goals.multiplied_prompt("a, 512 rows", 2e-3);
  goals.multiplied_by_library("a, 512 rows", 1e-3);
  for (const Verdict& verdict : goals.verdicts()) EXPECT_EQ(verdict.holds, true) << verdict.goal << ": " << verdict.why;
}

TEST(GpuGoals, AreMissedByOneMatrixAndNameIt) {
  Goals goals;
  goals.copied(1e12);
  goals.multiplied("good", 80e6, 1, 90e-6);
  goals.multiplied("good", 80e6, 16, 100e-6);
  goals.multiplied("bad", 80e6, 1, 101e-6);
  goals.multiplied("bad", 80e6, 16, 132e-6);
  goals.multiplied_prompt("bad, 512 rows", 2.1e-3);
  goals.multiplied_by_library("bad, 512 rows", 1e-3);
  for (const Verdict& verdict : goals.verdicts()) {
    EXPECT_EQ(verdict.holds, false) << verdict.goal;
    EXPECT_THAT(verdict.why, HasSubstr("bad"));
    EXPECT_THAT(verdict.why, HasSubstr("(missed)"));
    EXPECT_THAT(verdict.why, ::testing::Not(HasSubstr("good 0.89 (missed)")));
  }
}

TEST(GpuGoals, TakeTheFastestOfSeveralWaysAndLargeMatricesOnly) {
  Goals goals;
  goals.copied(1e12);
  goals.multiplied("large", 30e6, 1, 99e-6);
  goals.multiplied("large", 30e6, 1, 31e-6);
  goals.multiplied("large", 30e6, 1, 50e-6);
  goals.multiplied("small", 20e6, 1, 1);
  const auto verdicts = goals.verdicts();
  EXPECT_EQ(verdicts[0].holds, true) << verdicts[0].why;
  EXPECT_EQ(verdicts[0].why, "large 0.97");
  EXPECT_FALSE(verdicts[1].holds.has_value()) << "sixteen rows were not measured";
}

}  // namespace
}  // namespace kernels::gpu_check
