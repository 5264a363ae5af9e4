// From kernel stamps to the monotonic clock: how well the distance is known, and stamps that cannot be.
#include "loadgen/drive/arrival.hpp"

#include <gtest/gtest.h>

namespace loadgen {
namespace {

constexpr std::int64_t real_minus_mono = 1'700'000'000'000'000'000;

/// One measurement with the real clock read in the middle of a bracket, `off` from its middle.
void measure(RealtimeOffset& offset, std::int64_t at, std::int64_t width, std::int64_t off = 0,
             std::int64_t distance = real_minus_mono) {
  offset.measure(at, at + width / 2 + off + distance, at + width);
}

TEST(RealtimeOffset, KeepsTheNarrowestBracket) {
  RealtimeOffset offset;
  measure(offset, 1'000'000, 1000, 400);
  EXPECT_EQ(offset.error_ns(), 500);
  EXPECT_EQ(offset.to_monotonic(real_minus_mono + 5'000'000), 5'000'000 - 400);
  measure(offset, 2'000'000, 60, 10);
  EXPECT_EQ(offset.error_ns(), 30);
  EXPECT_EQ(offset.to_monotonic(real_minus_mono + 5'000'000), 5'000'000 - 10);
  measure(offset, 3'000'000, 20'000, -3000);  // interrupted in between: knows less, changes nothing
  EXPECT_EQ(offset.error_ns(), 30);
  EXPECT_EQ(offset.to_monotonic(real_minus_mono + 5'000'000), 5'000'000 - 10);
  EXPECT_EQ(offset.steps(), 0U);
}

TEST(RealtimeOffset, NoticesThatTheClockWasSet) {
  RealtimeOffset offset;
  measure(offset, 1'000'000, 60);
  measure(offset, 2'000'000, 200, 0, real_minus_mono + 10'000'000);
  EXPECT_EQ(offset.steps(), 1U);
  EXPECT_EQ(offset.error_ns(), 100);
  EXPECT_EQ(offset.to_monotonic(real_minus_mono + 15'000'000), 5'000'000);
  measure(offset, 3'000'000, 60, 0, real_minus_mono - 10'000'000);
  EXPECT_EQ(offset.steps(), 2U);
}

TEST(Arrival, IsTheKernelsStampWhereThereIsOne) {
  RealtimeOffset offset;
  measure(offset, 0, 2);
  const Arrival stamped = make_arrival(real_minus_mono + 900, offset, 100, 1000);
  EXPECT_TRUE(stamped.is_kernel_stamp);
  EXPECT_EQ(stamped.at_ns, 900);
  EXPECT_EQ(stamped.delay_ns(), 100);
  const Arrival plain = make_arrival(0, offset, 100, 1000);
  EXPECT_FALSE(plain.is_kernel_stamp);
  EXPECT_EQ(plain.at_ns, 1000);
  EXPECT_EQ(plain.delay_ns(), 0);
}

TEST(Arrival, StaysBetweenTheStampBeforeAndTheRead) {
  RealtimeOffset offset;
  measure(offset, 0, 2);
  EXPECT_EQ(make_arrival(real_minus_mono + 5000, offset, 100, 1000).at_ns, 1000);  // after the read
  EXPECT_EQ(make_arrival(real_minus_mono + 50, offset, 100, 1000).at_ns, 100);     // before the stamp before
  EXPECT_EQ(make_arrival(real_minus_mono + 50, offset, 2000, 1000).at_ns, 1000);   // nothing fits: the read
}

}  // namespace
}  // namespace loadgen
