#include "loadgen/summarize/gate_check.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/summarize/slice.hpp"
#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

using sample::latency_gate;
using sample::ms;
using sample::second;
using testing::HasSubstr;
using Comparison = Gate::Comparison;
using Status = GateResult::Status;

GateResult check(const Gate& gate, const EntryTally& tally, LoopKind loop = LoopKind::closed) {
  const Slice slice = summarize_entry(tally, {0, 10 * second});
  return check_gate(gate, loop, {{"", &tally, &slice}});
}

EntryTally successes(std::uint64_t count, std::int64_t e2e_ns) {
  EntryTally tally;
  sample::add_successes(tally, count, 10 * ms, e2e_ns);
  return tally;
}

const Gate p99_below_1500 = latency_gate(0.99, Metric::e2e, Comparison::less, 1500, "p99(e2e) < 1500ms");

TEST(GateCheck, ComparesThePercentileInMilliseconds) {
  const GateResult good = check(p99_below_1500, successes(1000, 1400 * ms));
  EXPECT_EQ(good.status, Status::pass);
  EXPECT_NEAR(good.value.value(), 1400, 1.4);
  EXPECT_EQ(good.text, "p99(e2e) < 1500ms");
  EXPECT_EQ(check(p99_below_1500, successes(1000, 1600 * ms)).status, Status::fail);
}

TEST(GateCheck, TooFewForAPercentileIsInconclusiveAndSaysHowManyAreNeeded) {
  const GateResult result = check(p99_below_1500, successes(661, 10 * ms));
  EXPECT_EQ(result.status, Status::inconclusive);
  EXPECT_FALSE(result.value);
  EXPECT_THAT(result.note, HasSubstr("at least 662"));
  EXPECT_THAT(result.note, HasSubstr("has 661"));
  EXPECT_EQ(check(p99_below_1500, successes(662, 10 * ms)).status, Status::pass);
}

TEST(GateCheck, AnyQuantileIsComputedFromTheHistogram) {
  const auto gate = latency_gate(0.97, Metric::e2e, Comparison::less_equal, 20, "p97(e2e) <= 20ms");
  EntryTally tally = successes(290, 10 * ms);
  sample::add_successes(tally, 10, 10 * ms, 30 * ms);  // 3.3 % are slow
  EXPECT_EQ(check(gate, tally).status, Status::fail);
  const auto lower = latency_gate(0.96, Metric::e2e, Comparison::less_equal, 20, "p96(e2e) <= 20ms");
  EXPECT_EQ(check(lower, tally).status, Status::pass);
}

TEST(GateCheck, APercentileAmongTimeoutsIsLargerThanAnyLimit) {
  EntryTally tally = successes(980, 10 * ms);
  for (int i = 0; i < 20; ++i) tally[Metric::e2e].record_censored(5 * second);
  const auto huge = latency_gate(0.99, Metric::e2e, Comparison::less, 1e9, "p99(e2e) < 1000000s");
  const GateResult result = check(huge, tally);
  EXPECT_EQ(result.status, Status::fail);
  EXPECT_FALSE(result.value);
  EXPECT_THAT(result.note, HasSubstr("20 requests cut by a timeout, above 5000 ms"));
  const auto above = latency_gate(0.99, Metric::e2e, Comparison::greater, 1, "p99(e2e) > 1ms");
  EXPECT_EQ(check(above, tally).status, Status::pass);
}

TEST(GateCheck, AMeanWithTimeoutsIsDecidedByItsLowerBoundOnly) {
  EntryTally tally = successes(90, 100 * ms);
  for (int i = 0; i < 10; ++i) tally[Metric::e2e].record_censored(10 * second);
  Gate gate{"mean(e2e) < 500ms", LatencyTerm{LatencyTerm::Statistic::mean, 0, Metric::e2e}, Comparison::less, 500, ""};
  const GateResult result = check(gate, tally);  // at least (90 * 100 + 10 * 10000) / 100 = 1090 ms
  EXPECT_EQ(result.status, Status::fail);
  EXPECT_NEAR(result.value.value(), 1090, 1e-6);
  gate.limit = 2000;
  EXPECT_EQ(check(gate, tally).status, Status::inconclusive);
  gate.comparison = Comparison::greater;
  gate.limit = 1000;
  EXPECT_EQ(check(gate, tally).status, Status::pass);
}

TEST(GateCheck, MaxWithTimeoutsFailsAndMinDoesNot) {
  EntryTally tally = successes(10, 100 * ms);
  tally[Metric::e2e].record_censored(second);
  const Gate max{"max", LatencyTerm{LatencyTerm::Statistic::max, 0, Metric::e2e}, Comparison::less, 1e9, ""};
  const Gate min{"min", LatencyTerm{LatencyTerm::Statistic::min, 0, Metric::e2e}, Comparison::less, 200, ""};
  EXPECT_EQ(check(max, tally).status, Status::fail);
  EXPECT_EQ(check(min, tally).status, Status::pass);
}

TEST(GateCheck, ScalarsAreTheRatesOfTheSlice) {
  EntryTally tally = successes(80, 10 * ms);  // over 10 s
  sample::ended(tally, Phase::measure, Outcome::http_5xx) = 20;
  const auto judge = [&](Scalar scalar, Comparison comparison, double limit) {
    return check({"gate", scalar, comparison, limit, ""}, tally);
  };
  EXPECT_EQ(judge(Scalar::qps, Comparison::greater_equal, 8).status, Status::pass);
  EXPECT_EQ(judge(Scalar::qps, Comparison::greater, 8).status, Status::fail);
  EXPECT_DOUBLE_EQ(judge(Scalar::error_rate, Comparison::less, 0.001).value.value(), 0.2);
  EXPECT_EQ(judge(Scalar::error_rate, Comparison::less, 0.001).status, Status::fail);
  EXPECT_EQ(judge(Scalar::error_rate, Comparison::less_equal, 0.2).status, Status::pass);
  EXPECT_DOUBLE_EQ(judge(Scalar::output_token_throughput, Comparison::greater, 1).value.value(), 128);
  EXPECT_DOUBLE_EQ(judge(Scalar::errors, Comparison::less, 1).value.value(), 20);
}

TEST(GateCheck, WithoutRequestsNothingIsDecided) {
  const EntryTally nothing;
  EXPECT_EQ(check({"qps >= 0", Scalar::qps, Comparison::greater_equal, 0, ""}, nothing).status, Status::inconclusive);
  EXPECT_EQ(check({"errors < 1", Scalar::errors, Comparison::less, 1, ""}, nothing).status, Status::inconclusive);
  EXPECT_EQ(check(p99_below_1500, nothing).status, Status::inconclusive);
}

TEST(GateCheck, ScheduleAnchoredGatesNeedAnOpenLoop) {
  const auto gate = latency_gate(0.5, Metric::e2e_sched, Comparison::less, 100, "p50(e2e_sched) < 100ms");
  EntryTally tally = successes(100, 10 * ms);
  EXPECT_THAT(check(gate, tally).note, HasSubstr("only in open loop"));
  tally[Metric::e2e_sched].record_ns(20 * ms, 100);
  EXPECT_EQ(check(gate, tally, LoopKind::open).status, Status::pass);
}

TEST(GateCheck, SendAnchoredGatesWarnInOpenLoop) {
  EXPECT_THAT(check(p99_below_1500, successes(1000, ms), LoopKind::open).note, HasSubstr("e2e_sched"));
  EXPECT_EQ(check(p99_below_1500, successes(1000, ms)).note, "");
  EXPECT_EQ(anchor_warning(latency_gate(0.9, Metric::tpot, Comparison::less, 1, ""), LoopKind::open), "");
}

TEST(GateCheck, PerTokenGatesAreRefusedWhereChunksAreCounted) {
  EntryTally tally = successes(100, 10 * ms);
  tally[Metric::tpot].record_ns(ms, 100);
  const auto gate = latency_gate(0.5, Metric::tpot, Comparison::less, 100, "p50(tpot) < 100ms");
  EXPECT_EQ(check(gate, tally).status, Status::pass);
  tally.token_sources[static_cast<std::size_t>(TokenSource::chunks)] = 1;
  EXPECT_EQ(check(gate, tally).status, Status::inconclusive);
}

TEST(GateCheck, AGateOnAnEntryLooksAtThatEntry) {
  const EntryTally fast = successes(100, 10 * ms);
  const EntryTally slow = successes(100, 900 * ms);
  const Slice slice = summarize_entry(fast, {0, second});
  const std::vector<GateScope> scopes = {{"", &fast, &slice}, {"slow", &slow, &slice}};
  Gate gate = latency_gate(0.5, Metric::e2e, Comparison::less, 100, "p50(e2e, slow) < 100ms");
  EXPECT_EQ(check_gate(gate, LoopKind::closed, scopes).status, Status::pass);
  gate.entry = "slow";
  EXPECT_EQ(check_gate(gate, LoopKind::closed, scopes).status, Status::fail);
  gate.entry = "missing";
  EXPECT_THAT(check_gate(gate, LoopKind::closed, scopes).note, HasSubstr("'missing'"));
}

TEST(GateCheck, FailBeatsInconclusiveBeatsPass) {
  const auto all = [](std::vector<Status> statuses) {
    std::vector<GateResult> gates;
    for (const Status status : statuses) gates.push_back({status, "", std::nullopt, ""});
    return combine(gates);
  };
  EXPECT_EQ(all({}), Verdict::none);
  EXPECT_EQ(all({Status::pass, Status::pass}), Verdict::pass);
  EXPECT_EQ(all({Status::pass, Status::inconclusive}), Verdict::inconclusive);
  EXPECT_EQ(all({Status::inconclusive, Status::fail, Status::pass}), Verdict::fail);
}

}  // namespace
}  // namespace loadgen
