// Which process is this? A table over what launchers set, nested ones included, and every refusal.
#include "loadgen/plan/shard.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace loadgen {
namespace {

using testing::HasSubstr;
using Variables = std::map<std::string, std::string>;

Environment environment_of(const Variables& variables) {
  return [&variables](const char* name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  };
}

struct Case {
  Variables variables;
  std::optional<std::string> flag;
  std::uint32_t index, count;
  std::string source;
};

TEST(Shard, IsReadFromTheInnermostLauncher) {
  const Variables batch_script = {{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}, {"SLURM_JOB_ID", "7"}};
  Variables array = batch_script;
  array.insert({{"SLURM_ARRAY_TASK_ID", "14"},
                {"SLURM_ARRAY_TASK_MIN", "10"},
                {"SLURM_ARRAY_TASK_STEP", "2"},
                {"SLURM_ARRAY_TASK_COUNT", "8"}});
  Variables array_step = array;
  array_step.insert({{"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}});
  const Variables step = {{"SLURM_STEP_ID", "0"}, {"SLURM_PROCID", "5"}, {"SLURM_STEP_NUM_TASKS", "8"}};
  Variables mpi_in_step = step;
  mpi_in_step.insert({{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "4"}});
  const Case cases[] = {
      {{}, std::nullopt, 0, 1, ""},
      {{}, "3/8", 3, 8, "--shard"},
      {mpi_in_step, "0/2", 0, 2, "--shard"},
      {{{"LOADGEN_SHARD_INDEX", "1"}, {"LOADGEN_SHARD_COUNT", "3"}}, std::nullopt, 1, 3, "environment"},
      {mpi_in_step, std::nullopt, 3, 4, "open-mpi"},
      {{{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}}, std::nullopt, 1, 2, "mpich"},
      {step, std::nullopt, 5, 8, "slurm-step"},
      {batch_script, std::nullopt, 0, 1, ""},  // its SLURM_PROCID is 0 in every element of an array
      {array, std::nullopt, 2, 8, "slurm-array"},
      {array_step, std::nullopt, 2, 8, "slurm-array"},
      {{{"JOB_COMPLETION_INDEX", "4"}, {"LOADGEN_SHARD_COUNT", "8"}}, std::nullopt, 4, 8, "kubernetes"},
      {{{"AWS_BATCH_JOB_ARRAY_INDEX", "6"}, {"AWS_BATCH_JOB_ARRAY_SIZE", "7"}}, std::nullopt, 6, 7, "aws-batch"},
  };
  for (const Case& c : cases) {
    const auto shard = identify_shard(c.flag, environment_of(c.variables));
    ASSERT_TRUE(shard.has_value()) << c.source << ": " << shard.error();
    EXPECT_EQ(shard->index, c.index) << c.source;
    EXPECT_EQ(shard->count, c.count) << c.source;
    EXPECT_EQ(shard->source, c.source);
  }
}

TEST(Shard, RefusesWhatMakesNoSense) {
  const std::pair<Variables, const char*> cases[] = {
      {{{"LOADGEN_SHARD_INDEX", "1"}}, "LOADGEN_SHARD_COUNT is not"},
      {{{"LOADGEN_SHARD_COUNT", "4"}}, "LOADGEN_SHARD_INDEX is not"},
      {{{"JOB_COMPLETION_INDEX", "1"}}, "LOADGEN_SHARD_COUNT is not"},
      {{{"PMI_RANK", "2"}, {"PMI_SIZE", "2"}}, "PMI_RANK=2 and PMI_SIZE=2"},
      {{{"PMI_RANK", "0"}, {"PMI_SIZE", "0"}}, "from 1 to"},
      {{{"PMI_RANK", "one"}, {"PMI_SIZE", "2"}}, "whole numbers"},
      {{{"PMI_RANK", "-1"}, {"PMI_SIZE", "2"}}, "whole numbers"},
      {{{"PMI_RANK", ""}, {"PMI_SIZE", "2"}}, "whole numbers"},
      {{{"SLURM_ARRAY_TASK_ID", "3"}, {"SLURM_ARRAY_TASK_MIN", "10"}, {"SLURM_ARRAY_TASK_COUNT", "8"}}, "do not fit"},
      {{{"SLURM_ARRAY_TASK_ID", "1"},
        {"SLURM_ARRAY_TASK_MIN", "0"},
        {"SLURM_ARRAY_TASK_COUNT", "8"},
        {"SLURM_STEP_ID", "0"},
        {"SLURM_PROCID", "0"},
        {"SLURM_STEP_NUM_TASKS", "2"}},
       "two numbers"},
  };
  for (const auto& [variables, why] : cases) {
    const auto shard = identify_shard(std::nullopt, environment_of(variables));
    ASSERT_FALSE(shard.has_value()) << why;
    EXPECT_THAT(shard.error(), HasSubstr(why));
  }
  for (const char* flag :
       {"", "1", "/", "1/", "/2", "2/2", "0/0", "a/b", "1/2/3", "-1/2", "0/10001", "99999999999999999999/2"}) {
    const auto shard = identify_shard(flag, environment_of({}));
    ASSERT_FALSE(shard.has_value()) << flag;
    EXPECT_THAT(shard.error(), HasSubstr("must be k/N"));
  }
}

TEST(Shard, StartsAtSecondsSince1970) {
  const Variables variables = {{"LOADGEN_START_AT", "1700000000"}};
  EXPECT_EQ(*read_start_at(std::nullopt, environment_of({})), std::nullopt);
  EXPECT_EQ(*read_start_at(std::nullopt, environment_of(variables)), 1'700'000'000'000'000'000);
  EXPECT_EQ(*read_start_at("1700000001.25", environment_of(variables)), 1'700'000'001'250'000'000);
  for (const char* bad : {"", "now", "0", "-5", "1e9", "1700000000.", "1700000000.x", "99999999999999999999"})
    EXPECT_FALSE(read_start_at(bad, environment_of({})).has_value()) << bad;
}

TEST(Shard, AStartTimeHasSecondsAndPerhapsAFraction) {
  EXPECT_EQ(*parse_start_time("1700000001.25"), 1'700'000'001'250'000'000);
  for (const char* bad : {"", "x", "1700000001.", "1700000001.x", "1.7e9", "-1", "0", "1700000001 ", "99999999999"})
    EXPECT_FALSE(parse_start_time(bad).has_value()) << bad;
}

}  // namespace
}  // namespace loadgen
