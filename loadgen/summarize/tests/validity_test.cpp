#include "loadgen/summarize/validity.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

using sample::ms;
using testing::HasSubstr;

/// A healthy run of 1000 requests; tests spoil one thing each.
struct ValidityTest : testing::Test {
  Scenario scenario = sample::open_loop();
  RunTotals totals = sample::empty_run();
  EntryTally all;

  ValidityTest() {
    sample::add_successes(all, 1000, 200 * ms, 900 * ms);
    all[Metric::lateness].record_ns(100'000, 1000);
    totals.facts.planned_in_window = 1000;
    totals.facts.max_thread_cpu_share = 0.3;
    totals.health.loop_lag.record_ns(50'000, 1000);
  }

  Validity judge() const {
    return judge_validity(scenario, totals, all, assess_steadiness(totals.series, totals.facts.window));
  }

  HealthCheck row(const std::string& name) const {
    for (const HealthCheck& check : judge().checks)
      if (check.name == name) return check;
    ADD_FAILURE() << "no row " << name;
    return {};
  }
  bool has_row(const std::string& name) const {
    for (const HealthCheck& check : judge().checks)
      if (check.name == name) return true;
    return false;
  }
};

TEST_F(ValidityTest, AHealthyRunIsValidWithoutReasons) {
  const Validity validity = judge();
  EXPECT_EQ(validity.status, Health::valid);
  EXPECT_TRUE(validity.reasons.empty()) << validity.reasons.front();
  EXPECT_EQ(validity.checks.size(), 14u);
}

TEST_F(ValidityTest, WhatWasDueInTheWindowMustHaveBeenSentInIt) {
  all.achieved_in_window = 990 - 1;  // one request may cross the edge
  EXPECT_EQ(row("achieved_rate").status, Health::valid);
  all.achieved_in_window = 988;
  EXPECT_EQ(row("achieved_rate").status, Health::suspect);
  all.achieved_in_window = 1040;  // caught up with what was due before
  EXPECT_EQ(row("achieved_rate").status, Health::invalid);
  EXPECT_THAT(judge().reasons, testing::Contains(HasSubstr("achieved_rate is 3.9 % off the plan")));
  totals.facts.planned_in_window = 2;
  all.achieved_in_window = 1;
  EXPECT_EQ(row("achieved_rate").status, Health::valid);
}

TEST_F(ValidityTest, LatenessLimitIsOnePercentOfTtftOrOneMillisecond) {
  // TTFT p50 is 200 ms, so the limit is 2 ms and 10 ms.
  all[Metric::lateness].reset();
  all[Metric::lateness].record_ns(1'900'000, 1000);
  EXPECT_EQ(row("lateness_p99").status, Health::valid);
  all[Metric::lateness].record_ns(9 * ms, 100);
  EXPECT_EQ(row("lateness_p99").status, Health::suspect);
  all[Metric::lateness].record_ns(11 * ms, 100);
  EXPECT_EQ(row("lateness_p99").status, Health::invalid);
  EXPECT_THAT(judge().reasons.front(), HasSubstr("lateness_p99 is 11"));
  all[Metric::ttft].reset();  // nothing streamed: 1 ms and 5 ms
  all[Metric::lateness].reset();
  all[Metric::lateness].record_ns(1'100'000, 1000);
  EXPECT_EQ(row("lateness_p99").status, Health::suspect);
}

TEST_F(ValidityTest, LatenessAndOfferedRateAreForOpenLoopOnly) {
  scenario = sample::closed_loop();
  EXPECT_FALSE(has_row("lateness_p99"));
  EXPECT_FALSE(has_row("offered_rate"));
}

TEST_F(ValidityTest, OfferedRateAgainstThePlan) {
  all.offered_in_window = 990;
  EXPECT_EQ(row("offered_rate").status, Health::valid);
  all.offered_in_window = 1030;
  EXPECT_EQ(row("offered_rate").status, Health::suspect);
  all.offered_in_window = 960;
  EXPECT_EQ(row("offered_rate").status, Health::invalid);
  EXPECT_DOUBLE_EQ(row("offered_rate").value.value(), 0.96);
}

TEST_F(ValidityTest, DroppedAndResourceFailuresInAnyPhaseAreInvalid) {
  sample::ended(all, Phase::warmup, Outcome::client_resource) = 1;
  EXPECT_EQ(row("client_resource").status, Health::invalid);
  EXPECT_EQ(row("dropped").status, Health::valid);
  sample::ended(all, Phase::drain, Outcome::dropped) = 1;
  EXPECT_EQ(row("dropped").status, Health::invalid);
  EXPECT_EQ(judge().reasons.size(), 2u);
}

TEST_F(ValidityTest, BusyThreadsAndLateLoops) {
  totals.facts.max_thread_cpu_share = 0.8;
  EXPECT_EQ(row("io_cpu").status, Health::suspect);
  totals.facts.max_thread_cpu_share = 0.95;
  EXPECT_EQ(row("io_cpu").status, Health::invalid);
  totals.facts.max_thread_cpu_share = 0;
  EXPECT_EQ(row("io_cpu").measured, "not measured");
  EXPECT_EQ(row("io_cpu").status, Health::valid);

  totals.health.loop_lag.record_ns(2 * ms, 100);
  EXPECT_EQ(row("loop_lag_p99").status, Health::suspect);
  totals.health.loop_lag.record_ns(6 * ms, 100);
  EXPECT_EQ(row("loop_lag_p99").status, Health::invalid);
}

TEST_F(ValidityTest, WhereTheKernelStampsLateReadsMoveNoStamp) {
  EXPECT_EQ(row("recv_delay_p99").measured, "not measured");
  totals.health.recv_delay.record_ns(100'000, 1000);
  totals.health.loop_lag.record_ns(4 * ms, 100);
  EXPECT_EQ(row("loop_lag_p99").status, Health::valid);
  totals.health.unstamped_reads = 11;  // more than 1 %: late wake-ups show in those
  EXPECT_EQ(row("loop_lag_p99").status, Health::suspect);
  EXPECT_EQ(row("recv_delay_p99").status, Health::valid);
  totals.health.recv_delay.record_ns(6 * ms, 100);
  EXPECT_EQ(row("recv_delay_p99").status, Health::suspect);
  EXPECT_THAT(judge().reasons.back(), HasSubstr("recv_delay_p99 is 6"));
  totals.health.recv_delay.record_ns(26 * ms, 100);
  EXPECT_EQ(row("recv_delay_p99").status, Health::invalid);
}

TEST_F(ValidityTest, CoalescedEventsCountOnlyWhereEventsCarryOneToken) {
  all.coalesced_events = all.token_events / 10;
  EXPECT_EQ(row("coalesced_events").status, Health::suspect);
  EXPECT_DOUBLE_EQ(row("coalesced_events").value.value(), 0.1);
  all.output_tokens = all.token_events * 3;
  EXPECT_FALSE(has_row("coalesced_events"));
}

TEST_F(ValidityTest, UnstreamedStreams) {
  all.unstreamed = 10;
  EXPECT_EQ(row("unstreamed").status, Health::valid);
  all.unstreamed = 100;
  EXPECT_EQ(row("unstreamed").status, Health::suspect);
  all.unstreamed = 101;
  EXPECT_EQ(row("unstreamed").status, Health::invalid);
  all.streamed = 0;  // whole answers
  EXPECT_FALSE(has_row("unstreamed"));
}

TEST_F(ValidityTest, TokenCountsMustComeFromTheServer) {
  all.token_sources[static_cast<std::size_t>(TokenSource::none)] = 1;
  EXPECT_EQ(row("token_source").status, Health::suspect);
  all.token_sources[static_cast<std::size_t>(TokenSource::none)] = 0;
  all.token_sources[static_cast<std::size_t>(TokenSource::tokenizer)] = 1;
  EXPECT_EQ(row("token_source").status, Health::suspect);
  all.token_sources[static_cast<std::size_t>(TokenSource::chunks)] = 1;
  EXPECT_EQ(row("token_source").status, Health::invalid);
}

TEST_F(ValidityTest, WarmupByRuleOrByTrend) {
  scenario.warmup.reset();
  EXPECT_EQ(row("warmup_steady").status, Health::valid);
  totals.facts.warmup_steady = false;
  EXPECT_EQ(row("warmup_steady").status, Health::suspect);

  scenario.warmup = std::chrono::seconds(2);
  EXPECT_EQ(row("warmup_steady").measured, "not measured");
  for (int i = 0; i < 10; ++i) {
    SeriesPoint point;
    point.at_s = i + 0.5;
    point.in_flight = 100;
    point.ttft_p50 = 100 + 5 * i;
    totals.series.push_back(point);
  }
  EXPECT_EQ(row("warmup_steady").status, Health::suspect);
  EXPECT_THAT(row("warmup_steady").measured, HasSubstr("TTFT moved by +50 ms"));
}

TEST_F(ValidityTest, WithoutASuccessThereIsNoValidLatency) {
  all = EntryTally{};
  sample::ended(all, Phase::measure, Outcome::connect) = 1000;
  all.offered_in_window = 1000;
  const Validity validity = judge();
  EXPECT_EQ(validity.status, Health::suspect);
  EXPECT_THAT(validity.reasons.back(), HasSubstr("no valid latency"));
}

TEST_F(ValidityTest, AWriteLongAfterItsStampIsTheGeneratorsOwn) {
  EXPECT_EQ(row("write_delay_p99").measured, "not measured");
  totals.health.write_delay.record_ns(20'000, 1000);
  EXPECT_EQ(row("write_delay_p99").status, Health::valid);
  totals.health.write_delay.record_ns(2 * ms, 100);
  EXPECT_EQ(row("write_delay_p99").status, Health::suspect);
  EXPECT_THAT(judge().reasons.back(), HasSubstr("write_delay_p99 is 2"));
  totals.health.write_delay.record_ns(6 * ms, 100);
  EXPECT_EQ(row("write_delay_p99").status, Health::invalid);
}

}  // namespace
}  // namespace loadgen
