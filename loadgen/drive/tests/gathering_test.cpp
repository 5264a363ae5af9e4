// The rule of the gathering window: follows the smallest usual gap, shrinks at once, grows slowly.
#include "loadgen/drive/gathering.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

constexpr std::int64_t us = 1'000;
constexpr std::int64_t ms = 1'000'000;

/// A window after `ticks` milliseconds in each of which streams of these gaps are read.
GatheringWindow seen(std::initializer_list<std::int64_t> gaps, int ticks, GatheringWindow window = {}) {
  for (int i = 0; i < ticks; ++i) {
    for (const std::int64_t gap : gaps) window.on_events(gap, 1);
    window.on_tick(true);
  }
  return window;
}

TEST(GatheringWindow, IsATwentiethOfTheSmallestGapAndAMillisecondAtMost) {
  for (const std::int64_t gap : {100 * us, 1 * ms, 4 * ms, 10 * ms, 20 * ms})
    EXPECT_EQ(seen({gap, 50 * ms}, 200).ns(), gap / 20) << gap;
  for (const std::int64_t gap : {21 * ms, 200 * ms, 5000 * ms}) EXPECT_EQ(seen({gap}, 200).ns(), 1 * ms) << gap;
}

TEST(GatheringWindow, IsClosedWhereNothingIsGained) {
  GatheringWindow window = seen({20 * ms}, 200);
  window.on_tick(false);
  EXPECT_EQ(window.ns(), 0);
  window.on_tick(true);
  EXPECT_GT(window.ns(), 0);
}

TEST(GatheringWindow, ShrinksWithTheReadThatShowsAFasterStream) {
  GatheringWindow window = seen({20 * ms}, 200);
  ASSERT_EQ(window.ns(), 1 * ms);
  window.on_events(1 * ms, 1);
  EXPECT_EQ(window.ns(), 50 * us);
}

TEST(GatheringWindow, HalvesWithEveryReadThatHoldsMoreThanOneEvent) {
  GatheringWindow window = seen({20 * ms}, 200);
  window.on_events(20 * ms, 2);
  EXPECT_EQ(window.ns(), 500 * us);
  window.on_events(20 * ms, 3);
  EXPECT_EQ(window.ns(), 250 * us);
  for (int i = 0; i < 40; ++i) window.on_events(20 * ms, 2);
  EXPECT_EQ(window.ns(), 0);
}

TEST(GatheringWindow, GrowsByTwentyMicrosecondsAMillisecond) {
  GatheringWindow window;
  window.on_tick(true);
  EXPECT_EQ(window.ns(), GatheringWindow::usual_ns);  // nothing was read
  EXPECT_EQ(seen({20 * ms}, 1, window).ns(), GatheringWindow::usual_ns + 20 * us);
  EXPECT_EQ(seen({20 * ms}, 10, window).ns(), GatheringWindow::usual_ns + 200 * us);
}

/// A stream that limits the window has an event every 20 ms; it must not be forgotten before its next one.
TEST(GatheringWindow, RemembersAStreamFromOneEventToTheNext) {
  GatheringWindow window = seen({20 * ms, 400 * ms}, 100);
  for (int i = 0; i < 200; ++i) {
    window.on_events(400 * ms, 1);
    if (i % 20 == 0) window.on_events(10 * ms, 1);
    window.on_tick(true);
    EXPECT_LE(window.ns(), 500 * us) << i;
  }
  EXPECT_EQ(seen({400 * ms}, 200, window).ns(), 1 * ms);  // gone
}

TEST(GatheringWindow, AfterSilenceItIsTheUsualOne) {
  GatheringWindow window = seen({100 * ms}, 200);
  ASSERT_EQ(window.ns(), 1 * ms);
  window.on_tick(true);  // nothing was read since the last
  EXPECT_EQ(window.ns(), GatheringWindow::usual_ns);
}

TEST(GatheringWindow, ShortAnswersAreNotMadeToWaitLonger) {
  GatheringWindow window = seen({100 * ms}, 200);
  window.on_end(300 * us);
  EXPECT_EQ(window.ns(), GatheringWindow::usual_ns);
  window = seen({100 * ms}, 200);
  window.on_end(2000 * ms);
  EXPECT_EQ(window.ns(), 1 * ms);
}

/// Before a second event nothing is known of a stream's pace, and nothing is taken from it.
TEST(GatheringWindow, AFirstEventSaysNothingOfGaps) {
  EXPECT_EQ(seen({0}, 10).ns(), GatheringWindow::usual_ns + 200 * us);
}

}  // namespace
}  // namespace loadgen
