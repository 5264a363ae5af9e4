#include "loadgen/export/progress_line.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

ProgressSnapshot snapshot() {
  ProgressSnapshot made;
  made.phase = Phase::measure;
  made.elapsed_s = 9.2;
  made.phase_elapsed_s = 7.5;
  made.phase_total_s = 15;
  made.in_flight = 120;
  made.offered_rate = made.achieved_rate = 95.4;
  made.tokens_rate = 12211;
  made.e2e_p50_ms = 1223.4;
  made.e2e_p99_ms = 1251;
  made.ttft_p50_ms = 81.5;
  made.ok = 858;
  return made;
}

TEST(ProgressLine, StatesPhaseLoadAndLatencies) {
  EXPECT_EQ(
      render_progress_line(snapshot(), ProgressStyle::plain),
      "9 s: measure 7/15 s  120 in flight  95.4 req/s  12211 tok/s  e2e p50 1223 p99 1251 ms  ttft p50 82 ms  858 ok");
}

TEST(ProgressLine, TheBarIsHalfFullHalfWay) {
  EXPECT_EQ(render_progress_line(snapshot(), ProgressStyle::bar).substr(0, 8 + 12 * 3), "measure ━━━━━━╌╌╌╌╌╌");
}

TEST(ProgressLine, SaysWhatIsDueWhenItIsNotSent) {
  ProgressSnapshot late = snapshot();
  late.offered_rate = 200;
  late.failed = 3;
  const std::string line = render_progress_line(late, ProgressStyle::plain);
  EXPECT_NE(line.find("95.4 req/s of 200.0 due"), std::string::npos);
  EXPECT_NE(line.find("858 ok  3 failed"), std::string::npos);
  late.offered_rate = 110;  // the scatter of one second of Poisson arrivals
  EXPECT_EQ(render_progress_line(late, ProgressStyle::plain).find("due"), std::string::npos);
}

TEST(ProgressLine, CountsRequestsWhereTheirNumberIsPlanned) {
  ProgressSnapshot counted = snapshot();
  counted.phase_total_s.reset();
  counted.planned_requests = 858;
  EXPECT_NE(render_progress_line(counted, ProgressStyle::bar).find("━━━━━━━━━━━━ 7 s"), std::string::npos);
}

TEST(ProgressLine, AFullOrNonsensicalPhaseNeverOverflowsTheBar) {
  ProgressSnapshot odd = snapshot();
  odd.phase_elapsed_s = 1e9;
  EXPECT_NE(render_progress_line(odd, ProgressStyle::bar).find("━━━━━━━━━━━━ "), std::string::npos);
  odd.phase_total_s = 0;
  EXPECT_EQ(render_progress_line(odd, ProgressStyle::bar).find("━"), std::string::npos);
}

TEST(PlainCadence, EveryFiveSecondsAndAtEachPhase) {
  PlainCadence cadence;
  std::string due;
  for (int second = 1; second <= 14; ++second) {
    ProgressSnapshot s;
    s.elapsed_s = second + 0.01 * (second % 2);
    s.phase = second < 4 ? Phase::warmup : Phase::measure;
    due += cadence.is_due(s) ? 'x' : '.';
  }
  EXPECT_EQ(due, "x..x....x....x");
}

}  // namespace
}  // namespace loadgen
