// Loads from files and flags: stages, gamma arrivals, think time, and which of them go together.
#include "loadgen/plan/load_fields.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loadgen/plan/render_plan.hpp"
#include "loadgen/plan/scenario_file.hpp"

namespace loadgen {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string file(const std::string& load, const std::string& more = "") {
  return "schema_version: 1\nname: t\ntarget: http://a:1\nroute: tgi\nload: " + load + "\n" + more +
         "mix: [{name: a}]\n";
}
Scenario parsed(const std::string& text, const ScenarioFlags& flags = {}) {
  auto scenario = parse_scenario(text, "x.yaml", {}, flags);
  if (!scenario) ADD_FAILURE() << errors_text(scenario.error());
  return scenario ? *scenario : Scenario{};
}
std::string error_of(const std::string& text, const ScenarioFlags& flags = {}) {
  const auto scenario = parse_scenario(text, "x.yaml", {}, flags);
  return scenario ? "no error" : errors_text(scenario.error());
}

TEST(LoadFields, StagesSayHowLongTheRunIs) {
  const std::string load = "{mode: open, stages: [{to: 100, for: 10s}, {at: 40, for: 20s}]}";
  const Scenario s = parsed(file(load));
  EXPECT_EQ(stages_of(s.load).size(), 2U);
  EXPECT_DOUBLE_EQ(std::get<OpenLoop>(s.load).rate, 100) << "the highest";
  EXPECT_EQ(s.warmup, nanoseconds(0));
  EXPECT_EQ(s.length.duration, nanoseconds(30s));
  EXPECT_EQ(parsed(file(load, "warmup: 10s\n")).length.duration, nanoseconds(20s));
  EXPECT_EQ(parsed(file(load, "duration: 5s\n")).length.duration, nanoseconds(5s));
  EXPECT_THAT(error_of(file(load, "warmup: 30s\n")), HasSubstr("takes all of the stages"));
  EXPECT_THAT(render_plan(s),
              testing::AllOf(HasSubstr("0 to 100 in 10s"), HasSubstr("40 for 20s"), HasSubstr("about 1300 measured")));
}

TEST(LoadFields, GammaArrivalsAreGivenByCvOrShape) {
  EXPECT_DOUBLE_EQ(
      std::get<OpenLoop>(parsed(file("{mode: open, rate: 5, arrivals: gamma, cv: 2}", "duration: 1s\n")).load).shape,
      0.25);
  EXPECT_DOUBLE_EQ(
      std::get<OpenLoop>(parsed(file("{mode: open, rate: 5, arrivals: gamma, shape: 4}", "duration: 1s\n")).load).shape,
      4);
  ScenarioFlags flags;
  flags.cv = "0.5";
  const Scenario s = parsed(file("{mode: open, rate: 5, arrivals: gamma, shape: 9}", "duration: 1s\n"), flags);
  EXPECT_DOUBLE_EQ(std::get<OpenLoop>(s.load).shape, 4) << "the flag replaces either";
}

TEST(LoadFlags, MakeAndReplaceLoads) {
  const std::string closed = file("{mode: closed, concurrency: 4, think_time: 1s}", "duration: 9s\n");
  ScenarioFlags flags;
  flags.concurrency = "7";
  EXPECT_EQ(std::get<ClosedLoop>(parsed(closed, flags).load).think_time.mean, nanoseconds(1s)) << "stays";
  flags = {};
  flags.concurrency_stages = "to 8 for 5s, at 8 for 1m";
  const auto staged = std::get<ClosedLoop>(parsed(closed, flags).load);
  EXPECT_EQ(staged.concurrency, 8U);
  ASSERT_EQ(staged.stages.size(), 2U);
  EXPECT_EQ(staged.stages[0].shape, Stage::Shape::ramp);
  EXPECT_EQ(staged.stages[1].length, nanoseconds(60s));
  flags = {};
  flags.rate_stages = "at 3 for 2s";
  const Scenario other = parsed(closed, flags);
  EXPECT_TRUE(is_open_loop(other));
  EXPECT_EQ(other.length.duration, nanoseconds(9s)) << "the file's length stays";
}

TEST(LoadFlags, AreNamedInErrors) {
  const std::string open = file("{mode: open, rate: 4}", "duration: 9s\n");
  const auto with = [&](auto set) {
    ScenarioFlags flags;
    set(flags);
    return error_of(open, flags);
  };
  for (const char* bad : {"", "at 3", "at 3 for", "3 for 2s", "up 3 for 2s", "at 3 in 2s", "at 3 for 2s x", ","})
    EXPECT_THAT(with([&](ScenarioFlags& f) { f.rate_stages = bad; }), HasSubstr("--rate-stages: is written as in"))
        << bad;
  ScenarioFlags staged;
  staged.rate_stages = "at 3";
  staged.target = "http://a:1";
  staged.route = "tgi";
  EXPECT_THAT(errors_text(scenario_from_flags(staged).error()),
              testing::AllOf(HasSubstr("--rate-stages"), testing::Not(HasSubstr("--duration")),
                             testing::Not(HasSubstr("is missing"))));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.rate_stages = "at -3 for 2s"; }), HasSubstr("from 0 to"));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.concurrency_stages = "at 1.5 for 2s"; }), HasSubstr("whole number"));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.rate = f.rate_stages = "at 3 for 2s"; }),
              HasSubstr("--rate-stages: excludes --rate"));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.think_time = "2s"; }), HasSubstr("--think-time: needs a closed loop"));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.cv = "2"; }), HasSubstr("belongs to 'arrivals: gamma'"));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.arrivals = "gamma"; }), HasSubstr("--cv: is missing"));
  EXPECT_THAT(with([](ScenarioFlags& f) { f.index_header = "host"; }), HasSubstr("--index-header: must begin with"));
}

}  // namespace
}  // namespace loadgen
