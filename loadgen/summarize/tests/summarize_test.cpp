#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/summarize/summary.hpp"
#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

using sample::ms;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Gate qps_at_least(double limit) {
  return {"qps", Scalar::qps, Gate::Comparison::greater_equal, limit, ""};
}

TEST(Summarize, WarnsOfPromptsOfAnotherLengthThanAsked) {
  const auto warnings = [](std::uint64_t asked, std::uint64_t told) {
    RunTotals totals = sample::empty_run(1);
    sample::add_successes(totals.entries[0], 100, 10 * ms, 100 * ms);
    totals.entries[0].requested_input_tokens = asked;
    totals.entries[0].told_input_tokens = told;
    return summarize(sample::closed_loop(), totals, {}).warnings;
  };
  const auto unlike = Contains(HasSubstr("by the server's count"));
  EXPECT_THAT(warnings(0, 0), Not(unlike));
  EXPECT_THAT(warnings(6000, 10'000), Not(unlike)) << "a chat template";
  EXPECT_THAT(warnings(6000, 5000), unlike);
  EXPECT_THAT(warnings(6000, 12'000), unlike);
  EXPECT_THAT(warnings(600'000, 700'000), unlike);
}

TEST(Summarize, AddsUpTheEntriesAndKeepsThemApart) {
  Scenario scenario = sample::closed_loop();
  scenario.mix = {sample::entry("a"), sample::entry("b")};
  RunTotals totals = sample::empty_run(2);
  sample::add_successes(totals.entries[0], 300, 10 * ms, 100 * ms);
  sample::add_successes(totals.entries[1], 100, 20 * ms, 300 * ms);
  totals.health.max_in_flight = 8;
  const Summary summary = summarize(scenario, totals, {"cpu", "kernel", "governor", 2});
  EXPECT_EQ(summary.overall.counts.ok, 400u);
  EXPECT_DOUBLE_EQ(summary.overall.rates.request_throughput, 40);
  EXPECT_EQ(summary.overall.rates.concurrency_max, 8u);
  EXPECT_FALSE(summary.overall.rates.planned_rate);
  ASSERT_EQ(summary.mix.size(), 2u);
  EXPECT_EQ(summary.mix[1].first, "b");
  EXPECT_DOUBLE_EQ(summary.mix[1].second.rates.request_throughput, 10);
  const auto e2e = static_cast<std::size_t>(Metric::e2e);
  EXPECT_DOUBLE_EQ(summary.overall.metrics[e2e].mean.value(), 150);
  EXPECT_DOUBLE_EQ(summary.mix[1].second.metrics[e2e].mean.value(), 300);
  EXPECT_NEAR(summary.overall.metrics[e2e].p90.value(), 300, 0.3);
  EXPECT_EQ(summary.overall.metrics[static_cast<std::size_t>(Metric::e2e_sched)].count, 0u);
  EXPECT_EQ(summary.host.cpu, "cpu");
  EXPECT_EQ(summary.verdict, Verdict::none);
  EXPECT_EQ(exit_code(summary), ExitCode::pass);
}

TEST(Summarize, OpenLoopStatesThePlannedRate) {
  RunTotals totals = sample::empty_run();
  totals.facts.planned_in_window = 1000;
  EXPECT_DOUBLE_EQ(summarize(sample::open_loop(), totals, {}).overall.rates.planned_rate.value(), 100);
}

TEST(Summarize, ARunWithoutRequestsIsInconclusive) {
  const Summary summary = summarize(sample::closed_loop(), sample::empty_run(0), {});
  EXPECT_EQ(summary.verdict, Verdict::inconclusive);
  EXPECT_EQ(exit_code(summary), ExitCode::inconclusive);
  EXPECT_THAT(summary.warnings, Contains(HasSubstr("no request was measured")));
}

TEST(Summarize, ARunOfFailuresFailsItsGateOrIsInconclusive) {
  Scenario scenario = sample::closed_loop();
  RunTotals totals = sample::empty_run();
  sample::ended(totals.entries[0], Phase::measure, Outcome::reset) = 50;
  EXPECT_EQ(exit_code(summarize(scenario, totals, {})), ExitCode::inconclusive);
  scenario.gates = {{"error_rate < 0.1%", Scalar::error_rate, Gate::Comparison::less, 0.001, ""}};
  EXPECT_EQ(exit_code(summarize(scenario, totals, {})), ExitCode::gate_failed);
}

TEST(Summarize, SendAnchoredGatesInOpenLoopAreAWarningOfTheRun) {
  Scenario scenario = sample::open_loop();
  scenario.gates = {sample::latency_gate(0.5, Metric::ttft, Gate::Comparison::less, 100, "p50(ttft) < 100ms")};
  RunTotals totals = sample::empty_run();
  sample::add_successes(totals.entries[0], 100, 10 * ms, 100 * ms);
  const Summary summary = summarize(scenario, totals, {});
  EXPECT_EQ(summary.gates[0].status, GateResult::Status::pass);
  EXPECT_THAT(summary.warnings, Contains(HasSubstr("ttft_sched")));
}

TEST(Summarize, ExitCodesInTheirOrder) {
  Scenario scenario = sample::closed_loop();
  scenario.gates = {qps_at_least(1000)};
  RunTotals totals = sample::empty_run();
  sample::add_successes(totals.entries[0], 1000, 10 * ms, 100 * ms);
  Summary summary = summarize(scenario, totals, {});
  EXPECT_EQ(exit_code(summary), ExitCode::gate_failed);
  summary.validity.status = Health::suspect;
  EXPECT_EQ(exit_code(summary), ExitCode::gate_failed) << "SUSPECT is printed and changes no exit code";
  summary.facts.interrupted = true;
  EXPECT_EQ(exit_code(summary), ExitCode::degraded);
  summary.validity.status = Health::invalid;
  EXPECT_EQ(exit_code(summary), ExitCode::invalid);
}

TEST(Summarize, LostPointsDegradeARunThatPassed) {
  Scenario scenario = sample::closed_loop();
  scenario.gates = {qps_at_least(1)};
  RunTotals totals = sample::empty_run();
  sample::add_successes(totals.entries[0], 1000, 10 * ms, 100 * ms);
  Summary summary = summarize(scenario, totals, {});
  summary.exporters["influx"] = {100, 100, 0, 0, 0, "", ""};
  EXPECT_EQ(exit_code(summary), ExitCode::pass);
  summary.exporters["statsd"] = {100, 0, 0, 0, 100, "", "nobody listens", true};
  EXPECT_EQ(exit_code(summary), ExitCode::pass) << "no result misses what a view lost";
  summary.exporters["influx"] = {100, 99, 1, 0, 0, "", ""};
  EXPECT_EQ(exit_code(summary), ExitCode::degraded);
  summary.exporters["influx"] = {100, 99, 0, 1, 0, "spill.lp", ""};
  EXPECT_EQ(exit_code(summary), ExitCode::degraded);
  summary.exporters["influx"] = {100, 99, 0, 0, 1, "", ""};
  EXPECT_EQ(exit_code(summary), ExitCode::degraded);
}

}  // namespace
}  // namespace loadgen
