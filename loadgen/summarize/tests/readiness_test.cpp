// Each limit alone: enough, one too few, not known; and what to do is said only where something is short.
#include "loadgen/summarize/readiness.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/summarize/tests/sample_run.hpp"

namespace loadgen {
namespace {

using Status = ReadinessCheck::Status;
using testing::HasSubstr;

HostLimits good() {
  HostLimits limits;
  limits.open_files = 1064;
  limits.local_ports = 28'232;
  limits.time_wait = 0;
  limits.listen_backlog = 4096;
  limits.steal_share = 0.001;
  limits.load_average = 0.5;
  limits.timer_slack_ns = 1;
  limits.sleeps = SleepError{60, 4000};
  limits.clock_source = "tsc";
  limits.governor = "performance";
  limits.cores = 4;
  return limits;
}
const LoadNeeds needs{1000, 1000, 2, true};

ReadinessCheck check(const HostLimits& limits, const std::string& name) {
  for (const ReadinessCheck& check : check_readiness(limits, needs))
    if (check.name == name) return check;
  ADD_FAILURE() << name;
  return {};
}

TEST(Readiness, AMachineThatIsUpToItNeedsNoFix) {
  for (const ReadinessCheck& check : check_readiness(good(), needs)) {
    EXPECT_EQ(check.status, Status::ok) << check.name;
    EXPECT_EQ(check.fix, "") << check.name;
  }
}

TEST(Readiness, EachShortageIsNamedWithItsFix) {
  const struct {
    const char* name;
    void (*spoil)(HostLimits&);
    const char* fix;
  } cases[] = {
      {"open_files", [](HostLimits& l) { l.open_files = 1063; }, "ulimit -n 1064"},
      {"local_ports", [](HostLimits& l) { l.time_wait = 27'233; }, "ip_local_port_range"},
      {"listen_backlog", [](HostLimits& l) { l.listen_backlog = 128; }, "net.core.somaxconn=1000"},
      {"cpu", [](HostLimits& l) { l.cores = 1; }, "fewer --threads"},
      {"cpu", [](HostLimits& l) { l.cpu_quota = 2.5; }, "remove the CPU limit"},
      {"clock_source", [](HostLimits& l) { l.clock_source = "hpet"; }, "current_clocksource"},
      {"timer_slack", [](HostLimits& l) { l.timer_slack_ns = 50'000; }, "PR_SET_TIMERSLACK"},
      {"timer_slack", [](HostLimits& l) { l.sleeps->p50 = 1000; }, "high-resolution timers"},
      {"governor", [](HostLimits& l) { l.governor = "powersave"; }, "cpupower"},
      {"steal", [](HostLimits& l) { l.steal_share = 0.05; }, "other guests"},
      {"other_load", [](HostLimits& l) { l.load_average = 3.9; }, "stop other programs"},
  };
  for (const auto& c : cases) {
    HostLimits limits = good();
    c.spoil(limits);
    const ReadinessCheck seen = check(limits, c.name);
    EXPECT_EQ(seen.status, Status::short_of) << c.name;
    EXPECT_THAT(seen.fix, HasSubstr(c.fix));
  }
}

TEST(Readiness, WhatIsNotKnownIsNotShort) {
  for (const ReadinessCheck& check : check_readiness(HostLimits{}, {1, 1, 1, true}))
    EXPECT_NE(check.status, Status::short_of) << check.name;
}

TEST(Readiness, ALoadNeedsWhatItsMixAndShardsSay) {
  Scenario scenario = sample::closed_loop(100);
  scenario.mix = {sample::entry("a"), sample::entry("b"), sample::entry("c")};
  scenario.mix[2].target = {"http://elsewhere:1", "elsewhere", 1, "elsewhere:1", ""};
  LoadNeeds seen = needs_of(scenario, 1);
  EXPECT_EQ(seen.all_connections, 100U);
  EXPECT_EQ(seen.connections, 67U) << "two thirds go to one address";
  EXPECT_TRUE(seen.is_local);
  EXPECT_EQ(needs_of(scenario, 4).all_connections, 25U);
  seen = needs_of(sample::open_loop(200), 1, std::chrono::seconds(3));
  EXPECT_EQ(seen.connections, 600U);
}

TEST(Readiness, EachSourceAddressHasPortsOfItsOwn) {
  HostLimits limits = good();
  limits.local_ports = 1000;
  LoadNeeds many{2500, 2500, 1, false};
  const auto ports = [&] { return check_readiness(limits, many)[1]; };
  EXPECT_EQ(ports().status, Status::short_of);
  EXPECT_THAT(ports().fix, HasSubstr("--source-address"));
  many.source_addresses = 3;
  EXPECT_EQ(ports().status, Status::ok);
  EXPECT_THAT(ports().found, HasSubstr("3000 of 3 source addresses"));
}

}  // namespace
}  // namespace loadgen
