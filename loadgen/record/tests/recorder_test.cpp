// Which counters and distributions a request enters, by its phase, its outcome and when its bytes arrived.
#include "loadgen/record/recorder.hpp"

#include "loadgen/record/run_totals.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

constexpr std::int64_t ms = 1'000'000;
constexpr std::int64_t s = 1000 * ms;

struct Fixture : testing::Test {
  Fixture() {
    scenario.load = OpenLoop{10, Arrivals::constant};
    scenario.mix.resize(2);
    control.window_begin = 10 * s;
    control.window_end = 20 * s;
    recorder = std::make_unique<Recorder>(scenario, control, RecordLevel::all);
  }
  /// Ten tokens 100 ms apart, the first one 200 ms after sending; intended 1 ms before sending.
  static RequestRecord request(std::int64_t send_ns, Phase phase) {
    RequestRecord record;
    record.outcome = Outcome::ok;
    record.phase = phase;
    record.streamed = true;
    record.stamps.intended = record.stamps.dispatch = record.stamps.connected = send_ns - ms;
    record.stamps.send = record.stamps.sent = send_ns;
    record.stamps.headers = send_ns + ms;
    for (int i = 0; i < 10; ++i) record.events.push_back({send_ns + (200 + 100 * i) * ms, 1});
    record.stamps.first_token = record.stamps.first_output = record.events.front().at_ns;
    record.stamps.last_token = record.stamps.end = record.events.back().at_ns;
    record.output_tokens = record.requested_tokens = 10;
    record.input_tokens = 7;
    record.token_source = TokenSource::server_usage;
    record.finish_reason = "length";
    return record;
  }
  void started(const RequestRecord& record) {
    recorder->on_start(record.entry);
    recorder->on_request(record);
  }
  std::unique_ptr<Interval> taken() { return recorder->swap(recorder->make_interval()); }

  Scenario scenario;
  RunControl control;
  std::unique_ptr<Recorder> recorder;
};

TEST_F(Fixture, LengthsOfPromptsAreComparedWhereTheServerSaysThem) {
  RequestRecord made = request(12 * s, Phase::measure);
  made.requested_input_tokens = 5;
  started(made);
  made.input_tokens.reset();
  started(made);
  started(request(12 * s, Phase::measure));  // a prompt that was given
  made.input_tokens = 9;
  made.outcome = Outcome::truncated;
  started(made);
  const auto interval = taken();
  EXPECT_EQ(interval->entries[0].requested_input_tokens, 5U);
  EXPECT_EQ(interval->entries[0].told_input_tokens, 7U);
}

TEST_F(Fixture, MeasuredRequestsEnterTheDistributions) {
  started(request(12 * s, Phase::measure));
  const auto interval = taken();
  const EntryTally& tally = interval->entries[0];
  EXPECT_EQ(tally.ended_in(Phase::measure, Outcome::ok), 1U);
  EXPECT_EQ(tally[Metric::ttft].count(), 1U);
  EXPECT_NEAR(tally[Metric::ttft].mean_ms(), 200, 1e-6);
  EXPECT_NEAR(tally[Metric::ttfo].mean_ms(), 200, 1e-6);
  EXPECT_NEAR(tally[Metric::e2e_sched].mean_ms(), 1101, 1e-6);
  EXPECT_EQ(tally[Metric::icl].count(), 9U);
  EXPECT_EQ(tally[Metric::itl].count(), 9U);
  EXPECT_EQ(tally.output_tokens, 10U);
  EXPECT_EQ(tally.output_tokens_in_window, 10U);
  EXPECT_EQ(tally.input_tokens_in_window, 7);
  EXPECT_EQ(tally.all_input_tokens, 7U);
  EXPECT_EQ(tally.completed_in_window, 1U);
  EXPECT_EQ(tally.overlap_ns, 1100 * ms);
  EXPECT_EQ(tally.osl_mismatches, 0U);
  EXPECT_EQ(interval->rows.size(), 1U);
  EXPECT_EQ(interval->entries[1][Metric::ttft].count(), 0U);
}

TEST_F(Fixture, AWarmUpRequestThatReachesIntoTheWindowCountsOnlyForThroughput) {
  started(request(9 * s + 500 * ms, Phase::warmup));
  const auto interval = taken();
  const EntryTally& tally = interval->entries[0];
  EXPECT_EQ(tally[Metric::ttft].count(), 0U);
  EXPECT_EQ(tally.ended_in(Phase::warmup, Outcome::ok), 1U);
  EXPECT_EQ(tally.output_tokens_in_window, 7U);  // tokens at 10.0 .. 10.6 s
  EXPECT_EQ(tally.completed_in_window, 1U);
  EXPECT_EQ(tally.overlap_ns, 600 * ms);
  EXPECT_EQ(tally.offered_in_window, 0U);
  EXPECT_EQ(tally.input_tokens_in_window, 0);
  EXPECT_EQ(tally.all_input_tokens, 7U) << "whatever the phase";
  EXPECT_EQ(tally.input_tokens, 0U);
}

TEST_F(Fixture, AMeasuredRequestThatEndsLateCountsItsWholeLatency) {
  started(request(19 * s + 500 * ms, Phase::measure));
  const auto interval = taken();
  const EntryTally& tally = interval->entries[0];
  EXPECT_NEAR(tally[Metric::e2e].mean_ms(), 1100, 1e-6);
  EXPECT_EQ(tally.completed_in_window, 0U);
  EXPECT_EQ(tally.output_tokens_in_window, 3U);  // 19.7, 19.8, 19.9
  EXPECT_EQ(tally.offered_in_window, 1U);
  EXPECT_EQ(tally.achieved_in_window, 1U);
}

TEST_F(Fixture, WholeAnswersAreSharedOutByOverlap) {
  RequestRecord record = request(19 * s, Phase::measure);
  record.streamed = false;
  record.events.clear();
  record.stamps.first_token = record.stamps.last_token = 0;
  record.stamps.end = 21 * s;
  started(record);
  const auto interval = taken();
  EXPECT_EQ(interval->entries[0].output_tokens_in_window, 5U);
  EXPECT_EQ(interval->entries[0][Metric::ttft].count(), 0U);
  EXPECT_EQ(interval->entries[0][Metric::e2e].count(), 1U);
}

TEST_F(Fixture, TimeoutsRankAboveEveryValueAndOtherFailuresAreOnlyCounted) {
  RequestRecord timeout = request(12 * s, Phase::measure);
  timeout.outcome = Outcome::timeout_ttft;
  timeout.error = "no token";
  timeout.events.clear();
  timeout.stamps.first_token = timeout.stamps.first_output = timeout.stamps.last_token = 0;
  timeout.stamps.end = 15 * s;
  timeout.output_tokens = 0;
  started(timeout);
  RequestRecord reset = timeout;
  reset.outcome = Outcome::reset;
  started(reset);
  const auto interval = taken();
  const EntryTally& tally = interval->entries[0];
  EXPECT_EQ(tally[Metric::ttft].count(), 0U);
  EXPECT_EQ(tally[Metric::ttft].censored(), 1U);
  EXPECT_EQ(tally[Metric::ttfo].censored(), 1U);
  EXPECT_EQ(tally[Metric::e2e].censored(), 1U);
  EXPECT_EQ(tally[Metric::e2e_sched].censored(), 1U);
  EXPECT_EQ(tally[Metric::lateness].count(), 2U);
  EXPECT_EQ(tally.error_messages.at("timeout_ttft: no token"), 1U);
  EXPECT_EQ(tally.error_messages.at("reset: no token"), 1U);
}

TEST_F(Fixture, AnAnswerThatOnlyThoughtHasAFirstTokenAndNoFirstOutput) {
  RequestRecord thinking = request(12 * s, Phase::measure);
  thinking.stamps.first_output = 0;
  started(thinking);
  thinking.outcome = Outcome::timeout_total;
  started(thinking);
  const auto interval = taken();
  const EntryTally& tally = interval->entries[0];
  EXPECT_EQ(tally[Metric::ttft].count(), 1U);
  EXPECT_EQ(tally[Metric::ttft].censored(), 0U) << "its first token came in time";
  EXPECT_EQ(tally[Metric::ttfo].count(), 0U);
  EXPECT_EQ(tally[Metric::ttfo].censored(), 1U) << "cut while it still thought";
}

TEST_F(Fixture, PartialAnswersAreWaste) {
  RequestRecord cut = request(12 * s, Phase::measure);
  cut.outcome = Outcome::truncated;
  cut.output_tokens = 4;
  started(cut);
  const auto interval = taken();
  EXPECT_EQ(interval->entries[0].wasted_tokens, 4U);
  EXPECT_EQ(interval->entries[0].output_tokens, 0U);
  EXPECT_EQ(interval->entries[0][Metric::ttft].count(), 0U);
}

TEST_F(Fixture, DistinctErrorsAreBounded) {
  RequestRecord failed = request(12 * s, Phase::measure);
  failed.outcome = Outcome::http_5xx;
  for (int i = 0; i < 1000; ++i) {
    failed.error = "request " + std::to_string(i) + " failed";
    started(failed);
  }
  const auto interval = taken();
  const auto& errors = interval->entries[0].error_messages;
  EXPECT_LE(errors.size(), 17U);
  EXPECT_EQ(errors.at("(other errors)"), 984U);
}

TEST_F(Fixture, IntervalsAddUpToTheWhole) {
  RunTotals totals;
  for (int second = 0; second < 5; ++second) {
    for (int i = 0; i < 20; ++i) started(request(11 * s + second * s + i * ms, Phase::measure));
    const auto interval = taken();
    totals.add(*interval);
  }
  EXPECT_EQ(totals.entries[0][Metric::ttft].count(), 100U);
  EXPECT_EQ(totals.entries[0].output_tokens, 1000U);
  EXPECT_EQ(totals.series.size(), 5U);
  EXPECT_EQ(totals.series[2].ok, 20U);
  ASSERT_TRUE(totals.series[2].ttft_p50.has_value());
  EXPECT_NEAR(*totals.series[2].ttft_p50, 200, 0.2);
}

TEST_F(Fixture, StartsAndRequestsInFlightAreCountedPerEntry) {
  recorder->on_start(1);
  recorder->on_start(1);
  recorder->on_start(0);
  auto interval = taken();
  EXPECT_EQ(interval->entries[1].started, 2U);
  EXPECT_EQ(interval->entries[1].in_flight, 2U);
  RequestRecord record = request(12 * s, Phase::measure);
  record.entry = 1;
  recorder->on_request(record);
  interval = taken();
  EXPECT_EQ(interval->entries[1].started, 0U);
  EXPECT_EQ(interval->entries[1].in_flight, 1U);
  EXPECT_EQ(interval->entries[0].in_flight, 1U);
}

TEST_F(Fixture, SummaryLevelKeepsNoRows) {
  Recorder lean(scenario, control, RecordLevel::summary);
  lean.on_request(request(12 * s, Phase::measure));
  EXPECT_TRUE(lean.swap(lean.make_interval())->rows.empty());
}

TEST_F(Fixture, AnEmptiedIntervalIsLikeANewOne) {
  started(request(12 * s, Phase::measure));
  auto interval = taken();
  interval->reset();
  EXPECT_EQ(interval->entries.size(), 2U);
  EXPECT_EQ(interval->entries[0].output_tokens, 0U);
  EXPECT_EQ(interval->entries[0][Metric::ttft].count(), 0U);
  EXPECT_TRUE(interval->rows.empty());
  EXPECT_TRUE(interval->entries[0].finish_reasons.empty());
}

}  // namespace
}  // namespace loadgen
