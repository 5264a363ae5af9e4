// Ways of scheduling side by side on the trace that comes with the program.
#include "refserver/simulate/comparison.hpp"

#include <gtest/gtest.h>

#include <map>
#include <stdexcept>

#include "refserver/simulate/trace.hpp"

namespace refserver {
namespace {

ComparisonSettings chat(double speed) {
  ComparisonSettings settings;
  settings.trace = *load_trace("");
  for (auto& time : settings.trace.times) {
    time = std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(time.count()) / speed));
  }
  settings.preset = *load_cost_preset("qwen2-7b-rtx4090");
  return settings;
}

std::map<std::string, SimulationResult> by_name(std::vector<ComparedRun> runs) {
  std::map<std::string, SimulationResult> out;
  for (ComparedRun& run : runs) out[run.name] = std::move(run.result);
  return out;
}

TEST(Comparison, PagedMemoryIsFullOfTokens) {
  for (const double speed : {1.0, 1e6}) {
    const auto runs = by_name(compare_scheduling(chat(speed)));
    for (const char* name : {"serial", "static", "continuous"})
      EXPECT_GE(runs.at(name).kv_utilisation().value(), 0.95) << name;
    // What is set aside and not yet or never written is what paging saves.
    EXPECT_LT(runs.at("reserve").kv_utilisation().value(), 0.6);
    EXPECT_LT(runs.at("contiguous").kv_utilisation().value(), 0.3);
  }
}

TEST(Comparison, EveryWayAnswersAllAndContinuousBatchingFastest) {
  const ComparisonSettings settings = chat(1e6);
  std::uint64_t tokens = 0;
  for (const RequestSize& size : settings.trace.sizes) tokens += size.answer;
  const auto runs = by_name(compare_scheduling(settings));
  ASSERT_EQ(runs.size(), 5U);
  for (const auto& [name, result] : runs) {
    EXPECT_EQ(result.counters.generated_tokens, tokens) << name;
    EXPECT_EQ(result.counters.finished(), settings.trace.sizes.size()) << name;
  }
  EXPECT_GT(runs.at("static").tokens_per_s(), 2 * runs.at("serial").tokens_per_s());
  EXPECT_GT(runs.at("continuous").tokens_per_s(), runs.at("static").tokens_per_s());
  EXPECT_GT(runs.at("continuous").mean_rows(), runs.at("static").mean_rows());
  EXPECT_GT(runs.at("continuous").tokens_per_s(), runs.at("reserve").tokens_per_s());
  EXPECT_GT(runs.at("reserve").tokens_per_s(), runs.at("contiguous").tokens_per_s());
  EXPECT_EQ(runs.at("serial").mean_rows(), 1);
  EXPECT_EQ(runs.at("reserve").counters.preemptions, 0U);
}

TEST(Comparison, SaysWhatDoesNotFit) {
  ComparisonSettings settings = chat(1);
  settings.max_total_tokens = 1000;
  EXPECT_THROW(compare_scheduling(settings), std::invalid_argument);
  settings.max_total_tokens = 4096;
  settings.kv_tokens = 4000;
  EXPECT_THROW(compare_scheduling(settings), std::invalid_argument);
}

}  // namespace
}  // namespace refserver
