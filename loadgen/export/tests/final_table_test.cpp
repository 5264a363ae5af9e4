#include "loadgen/export/final_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "loadgen/export/terminal_text.hpp"
#include "loadgen/export/tests/simulated_run.hpp"

namespace loadgen {
namespace {

using testing::HasSubstr;
using testing::Not;

struct FinalTableTest : testing::Test {
  sample::SimulatedRun run = sample::simulate({.measure_s = 8, .failure_share = 0.03, .seed = 5, .open = true});
  Summary summary;

  std::string render(Colour colour = Colour::none) {
    run.scenario.gates = {
        sample::latency_gate(0.999, Metric::ttft_sched, Gate::Comparison::less, 500, "p99.9(ttft_sched) < 500ms"),
        {"error_rate < 1%", Scalar::error_rate, Gate::Comparison::less, 0.01, ""},
        {"qps >= 8", Scalar::qps, Gate::Comparison::greater_equal, 8, ""}};
    summary = summarize(run.scenario, run.totals(), {});
    summary.exporters["influx"] = {100, 90, 10, 0, 0, "", "HTTP 400"};
    return render_final_table(run.scenario, summary, colour);
  }
};

TEST_F(FinalTableTest, FitsA120ColumnTerminal) {
  std::stringstream text(render());
  for (std::string line; std::getline(text, line);) EXPECT_LE(display_width(line), 120u) << line;
}

TEST_F(FinalTableTest, ShowsGatesVerdictAndLosses) {
  const std::string table = render();
  EXPECT_THAT(table, HasSubstr("✗ fail  error_rate < 1%   measured 0.03472"));
  EXPECT_THAT(table, HasSubstr("✓ pass  qps >= 8   measured 86.88"));
  EXPECT_THAT(table, HasSubstr("? inconclusive  p99.9(ttft_sched) < 500ms"));
  EXPECT_THAT(table, HasSubstr("needs at least 6636 ttft_sched values, has 695"));
  EXPECT_THAT(table, HasSubstr("verdict FAIL   generator VALID"));
  EXPECT_THAT(table, HasSubstr("influx: 90 of 100 stored, 10 rejected, 0 spilled, 0 dropped"));
  EXPECT_THAT(table, HasSubstr("HTTP 429: Model is overloaded"));
}

TEST_F(FinalTableTest, ShowsGpusAndWhatATokenCost) {
  EXPECT_THAT(render(), Not(HasSubstr("GPU")));
  ObservedSubject gpu;
  gpu.subject.gpu = "0";
  gpu.subject.name = "Fake\x1b[2J";
  gpu.metrics = {{ObservedMetric::gpu_utilization, 8, 87.25, 80, 90, 80, 90, {}},
                 {ObservedMetric::gpu_memory_used_mib, 8, 4000, 3000, 7001, 3000, 7001, {}}};
  summary = summarize(run.scenario, run.totals(), {});
  summary.observed.subjects = {gpu};
  summary.observed.joules_per_output_token = 0.28928;
  summary.gates = {{GateResult::Status::pass, "max(gpu.memory_used_mib) < 7152", 7001.5, "GPU 0", "MiB"}};
  const std::string table = render_final_table(run.scenario, summary, Colour::none);
  EXPECT_THAT(table, HasSubstr("): busy 87.25 %, memory up to 7001 MiB\n"));
  EXPECT_THAT(table, HasSubstr("0.2893 J per output token"));
  EXPECT_THAT(table, HasSubstr("✓ pass  max(gpu.memory_used_mib) < 7152   measured 7001.5 MiB"));
  EXPECT_THAT(table, Not(HasSubstr("\x1b")));
}

TEST_F(FinalTableTest, SaysWhyANumberIsMissing) {
  const std::string table = render();
  EXPECT_THAT(table, HasSubstr("n small"));
  EXPECT_THAT(table, HasSubstr("cut off")) << "p99 of e2e lies among the timeouts";
  EXPECT_THAT(table, HasSubstr("\n  llama3-rewrite "));
}

TEST_F(FinalTableTest, ShowsFirstOutputsWhereSomethingWasThoughtBefore) {
  EXPECT_THAT(render(), Not(HasSubstr("ttfo"))) << "all values are those of ttft";
  run.intervals[5].entries[0][Metric::ttfo].record_censored(1);
  EXPECT_THAT(render(), HasSubstr("\n  ttfo "));
}

TEST_F(FinalTableTest, ColoursOnlyWhereAsked) {
  EXPECT_THAT(render(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(render(Colour::ansi), HasSubstr("\x1b[31m✗ fail\x1b[0m"));
}

TEST_F(FinalTableTest, NamesFromOutsideCannotSteerTheTerminal) {
  run.scenario.name = "evil\x1b]0;title\x07";
  run.scenario.mix[0].name = "a\x1b[2J";
  run.intervals[3].entries[0].error_messages["\x1b[31mred"] = 9;
  EXPECT_THAT(render(), Not(HasSubstr("\x1b")));
}

}  // namespace
}  // namespace loadgen
