// Stalls: what is due inside leaves at the end; work stands still.
#include "refserver/engine/stall_clock.hpp"

#include <gtest/gtest.h>

namespace refserver {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{5s};

TEST(StallClock, BeforeTheFirstRequestNothingStalls) {
  const StallClock clock({{0s, 1h}});
  EXPECT_EQ(clock.after_stall(kStart), kStart);
  EXPECT_EQ(clock.after_work(kStart, 1s), kStart + 1s);
}

TEST(StallClock, OverlappingStallsAreOne) {
  StallClock clock({{10s, 1s}, {1s, 1s}, {1500ms, 1s}, {2500ms, 500ms}, {20s, 0s}});
  clock.on_received(kStart);
  clock.on_received(kStart + 50s);  // not the first any more
  EXPECT_EQ(clock.after_stall(kStart + 999ms), kStart + 999ms);
  EXPECT_EQ(clock.after_stall(kStart + 1s), kStart + 3s);
  EXPECT_EQ(clock.after_stall(kStart + 2999ms), kStart + 3s);
  EXPECT_EQ(clock.after_stall(kStart + 3s), kStart + 3s);
  EXPECT_EQ(clock.after_stall(kStart + 10s), kStart + 11s);
  EXPECT_EQ(clock.after_stall(kStart + 20s), kStart + 20s);
}

TEST(StallClock, WorkStandsStill) {
  StallClock clock({{1s, 1s}, {3s, 1s}});
  clock.on_received(kStart);
  EXPECT_EQ(clock.after_work(kStart, 1s), kStart + 1s);           // done as the stall begins
  EXPECT_EQ(clock.after_work(kStart, 1100ms), kStart + 2100ms);   // interrupted once
  EXPECT_EQ(clock.after_work(kStart, 2500ms), kStart + 4500ms);   // and twice
  EXPECT_EQ(clock.after_work(kStart + 1500ms, 0s), kStart + 2s);  // begun inside
  EXPECT_EQ(clock.after_work(kStart + 5s, 7s), kStart + 12s);
}

TEST(StallClock, ReadsTexts) {
  const auto stall = parse_stall("3s+250ms");
  ASSERT_TRUE(stall.has_value());
  EXPECT_EQ(stall->after, 3s);
  EXPECT_EQ(stall->length, 250ms);
  for (const char* bad : {"", "3s", "3s+", "+3s", "3+4", "1s+2s+3s", "-1s+2s"}) {
    ASSERT_TRUE(parse_stall(bad).has_error()) << bad;
    EXPECT_NE(parse_stall(bad).error().find("such as 3s+2s"), std::string::npos);
  }
}

}  // namespace
}  // namespace refserver
