// The metric formulas on the worked example of the definitions, and where a metric is not defined.
#include "loadgen/record/request_metrics.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

constexpr std::int64_t ms = 1'000'000;

/// Scheduled at 0, sent at 5, tokens 1 + 3 + 1 + 2 at 105, 145, 165, 205, [DONE] at 206.5 (milliseconds).
RequestRecord worked_example() {
  RequestRecord record;
  record.outcome = Outcome::ok;
  record.streamed = true;
  record.stamps = {0, 5 * ms, 5 * ms, 5 * ms, 5 * ms, 60 * ms, 105 * ms, 145 * ms, 205 * ms, 206 * ms + ms / 2};
  record.events = {{105 * ms, 1}, {145 * ms, 3}, {165 * ms, 1}, {205 * ms, 2}};
  record.output_tokens = 7;
  record.token_source = TokenSource::server_usage;
  return record;
}

TEST(RequestMetrics, FollowTheWorkedExample) {
  const RequestMetrics m = compute_metrics(worked_example(), LoopKind::open);
  EXPECT_EQ(m[Metric::ttft], 100 * ms);
  EXPECT_EQ(m[Metric::ttft_sched], 105 * ms);
  EXPECT_EQ(m[Metric::ttfo], 140 * ms);
  EXPECT_EQ(m[Metric::tpot], 100 * ms / 6);
  EXPECT_EQ(m[Metric::e2e], 201 * ms + ms / 2);
  EXPECT_EQ(m[Metric::e2e_sched], 206 * ms + ms / 2);
  EXPECT_EQ(m[Metric::e2e_last_token], 200 * ms);
  EXPECT_EQ(m[Metric::lateness], 5 * ms);
  EXPECT_EQ(m[Metric::ttst], 40 * ms);
  EXPECT_EQ(m[Metric::server_wait], 55 * ms);
  EXPECT_FALSE(m[Metric::connect]);
  EXPECT_EQ(m.icl_mean, 100 * ms / 3);
  EXPECT_EQ(m.icl_p99, 40 * ms);
  EXPECT_EQ(m.icl_max, 40 * ms);
  EXPECT_EQ(m.chunks, 4U);
  EXPECT_FALSE(m.unstreamed);
}

TEST(RequestMetrics, GapsAreSmearedOverTheTokensTheyBrought) {
  std::vector<GapValue> icl, itl;
  append_icl(worked_example(), icl);
  ASSERT_TRUE(append_itl(worked_example(), itl));
  ASSERT_EQ(icl.size(), 3U);
  EXPECT_EQ(icl[0].gap_ns, 40 * ms);
  EXPECT_EQ(icl[1].gap_ns, 20 * ms);
  EXPECT_EQ(icl[2].gap_ns, 40 * ms);
  ASSERT_EQ(itl.size(), 3U);
  EXPECT_EQ(itl[0].gap_ns, 40 * ms / 3);
  EXPECT_EQ(itl[0].count, 3U);
  EXPECT_EQ(itl[1].gap_ns, 20 * ms);
  EXPECT_EQ(itl[2].gap_ns, 20 * ms);
  EXPECT_EQ(itl[2].count, 2U);
}

TEST(RequestMetrics, ItlIsNotGuessed) {
  RequestRecord record = worked_example();
  record.events[1].tokens = 0;
  std::vector<GapValue> itl;
  EXPECT_FALSE(append_itl(record, itl));
  EXPECT_TRUE(itl.empty());
}

TEST(RequestMetrics, ClosedLoopHasNoScheduleAnchoredValues) {
  const RequestMetrics m = compute_metrics(worked_example(), LoopKind::closed);
  EXPECT_FALSE(m[Metric::ttft_sched]);
  EXPECT_FALSE(m[Metric::e2e_sched]);
  EXPECT_FALSE(m[Metric::lateness]);
  EXPECT_EQ(m[Metric::ttft], 100 * ms);
}

TEST(RequestMetrics, OneTokenHasNoTpot) {
  RequestRecord record = worked_example();
  record.events.resize(1);
  record.output_tokens = 1;
  record.stamps.last_token = record.stamps.first_token;
  const RequestMetrics m = compute_metrics(record, LoopKind::open);
  EXPECT_TRUE(m[Metric::ttft]);
  EXPECT_FALSE(m[Metric::tpot]);
  EXPECT_FALSE(m[Metric::ttst]);
  EXPECT_FALSE(m.icl_mean);
  EXPECT_FALSE(m.unstreamed);
  record.output_tokens = 7;
  EXPECT_TRUE(compute_metrics(record, LoopKind::open).unstreamed);
}

TEST(RequestMetrics, AWholeAnswerHasOnlyEndToEndTimes) {
  RequestRecord record = worked_example();
  record.streamed = false;
  record.events.clear();
  record.stamps.first_token = record.stamps.last_token = 0;
  const RequestMetrics m = compute_metrics(record, LoopKind::open);
  EXPECT_FALSE(m[Metric::ttft]);
  EXPECT_FALSE(m[Metric::tpot]);
  EXPECT_EQ(m[Metric::e2e], 201 * ms + ms / 2);
}

TEST(RequestMetrics, FailuresKeepOnlyTheGeneratorsOwnTimes) {
  RequestRecord record = worked_example();
  record.new_connection = true;
  record.stamps.connected = 7 * ms;
  for (std::size_t o = 1; o < outcome_count; ++o) {
    record.outcome = static_cast<Outcome>(o);
    const RequestMetrics m = compute_metrics(record, LoopKind::open);
    EXPECT_EQ(m[Metric::lateness], 5 * ms);
    EXPECT_EQ(m[Metric::connect], 2 * ms);
    for (const Metric absent : {Metric::ttft, Metric::tpot, Metric::e2e, Metric::e2e_sched, Metric::server_wait}) {
      EXPECT_FALSE(m[absent]) << label(record.outcome) << " " << label(absent);
    }
  }
}

}  // namespace
}  // namespace loadgen
