// What a calibration measures and says.
#include "refserver/calibrate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "refserver/calibrate_command.hpp"

namespace refserver {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

TEST(Calibrate, MeasuresBothPaths) {
  const Calibration c = calibrate(20);
  EXPECT_EQ(c.samples, 20U);
  for (const DelayFacts& delay : {c.timer, c.write}) {
    EXPECT_GT(delay.p50, 0ns);
    EXPECT_LE(delay.p50, delay.p99);
    EXPECT_LE(delay.p99, delay.max);
    EXPECT_LT(delay.max, 10s);
  }
  EXPECT_EQ(calibrate(0).samples, 1U);
}

TEST(Calibrate, SaysWhenTheMachineIsTooNoisy) {
  Calibration c{10, {60us, 120us, 130us}, {8us, 20us, 40us}};
  EXPECT_EQ(describe(c), "timer late by 0.060 ms (p50), 0.120 ms (p99); a write takes 0.008 ms (p50), 0.020 ms (p99)");
  EXPECT_EQ(to_json(c), R"({"calibration":{"samples":10,"timer_late":{"p50_ns":60000,"p99_ns":120000,"max_ns":130000},)"
                        R"("write":{"p50_ns":8000,"p99_ns":20000,"max_ns":40000},"is_noisy":false}})");
  c.timer.p99 = 5ms;
  EXPECT_THAT(describe(c), HasSubstr("too noisy for times below 5.0 ms to be believed"));
  EXPECT_THAT(to_json(c), HasSubstr(R"("is_noisy":true)"));
}

TEST(Calibrate, TheCommandRefusesNonsense) {
  const char* const bad[] = {"calibrate", "--samples", "none"};
  EXPECT_EQ(run_calibrate(3, bad), ExitCode::bad_usage);
  const char* const good[] = {"calibrate", "--samples", "2", "--json"};
  EXPECT_EQ(run_calibrate(4, good), ExitCode::ok);
}

}  // namespace
}  // namespace refserver
