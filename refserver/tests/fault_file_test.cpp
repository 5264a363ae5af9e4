// Fault files: what they mean, and how they fail. And who gets which fault.
#include "refserver/fault_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace refserver {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class File {
 public:
  explicit File(const std::string& text)
      : path_(::testing::TempDir() + "refserver_fault_file_" + std::to_string(getpid()) + ".yaml") {
    std::ofstream(path_) << text;
  }
  ~File() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

FaultPlan read(const std::string& text) {
  return read_fault_file(File(text).path());
}

std::string complaint(const std::string& text) {
  try {
    read(text);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "";
}

TEST(FaultFile, RulesAndHealthAreRead) {
  const FaultPlan plan = read(R"(
rules:
  - fault: reset_after_token
    token: 5
    every: 10
    route: /generate_stream
    model: qwen2
    key: abc
  - {fault: status_429, retry_after: 1500ms, probability: 0.25, seed: 7}
  - {fault: stall, token: 0, time: 2s}
  - {fault: wrong_content_length, length_error: -3}
health: {up: 10s, down: 2s}
)");
  ASSERT_EQ(plan.rules.size(), 4U);
  EXPECT_EQ(plan.rules[0].kind, FaultKind::reset_after_token);
  EXPECT_EQ(plan.rules[0].token, 5U);
  EXPECT_EQ(plan.rules[0].every, 10U);
  EXPECT_EQ(plan.rules[0].route, "/generate_stream");
  EXPECT_EQ(plan.rules[0].model, "qwen2");
  EXPECT_EQ(plan.rules[0].key, "abc");
  EXPECT_EQ(plan.rules[1].retry_after_s, 2U);
  EXPECT_EQ(plan.rules[1].probability, 0.25);
  EXPECT_EQ(plan.rules[1].seed, 7U);
  EXPECT_EQ(plan.rules[2].token, 0U);
  EXPECT_EQ(plan.rules[2].time, 2s);
  EXPECT_EQ(plan.rules[3].length_error, -3);
  ASSERT_TRUE(plan.health);
  EXPECT_EQ(plan.health->up, 10s);
  EXPECT_TRUE(read(R"({"rules":[{"fault":"half_close"}]})").rules.size() == 1U);  // JSON is YAML
}

TEST(FaultFile, ErrorsNameFileLineFieldAndTheFix) {
  EXPECT_THAT(complaint("rules:\n  - token: 1\n"),
              HasSubstr(".yaml:2: rules[0]: has no `fault`; there are status_429"));
  EXPECT_THAT(complaint("rules:\n  - fault: explode\n"),
              HasSubstr(".yaml:2: rules[0].fault: 'explode' is not a fault"));
  EXPECT_THAT(complaint("rules:\n  - fault: stall\n"), HasSubstr("rules[0]: stall needs a `time`"));
  EXPECT_THAT(complaint("rules:\n  - {fault: stall, time: 3}\n"), HasSubstr("rules[0].time: '3' is not a duration"));
  EXPECT_THAT(complaint("rules:\n  - {fault: half_close, token: 0}\n"),
              HasSubstr("rules[0].token: '0' is not a whole number from 1 to 10000000"));
  EXPECT_THAT(complaint("rules:\n  - {fault: status_503, token: 2}\n"),
              HasSubstr("rules[0].token: unknown field of status_503; there are fault, model, route, key, every"));
  EXPECT_THAT(complaint("rules:\n  - {fault: status_503, probability: 1.5}\n"),
              HasSubstr("rules[0].probability: '1.5' is not a number from 0 to 1"));
  EXPECT_THAT(complaint("rules:\n  - {fault: wrong_content_length, length_error: 0}\n"), HasSubstr("0 is no error"));
  EXPECT_THAT(complaint("rules: 3\n"), HasSubstr("rules: expected a list"));
  EXPECT_THAT(complaint("rules: [3]\n"), HasSubstr("rules[0]: expected a mapping"));
  EXPECT_THAT(complaint("other: 1\n"), HasSubstr("other: unknown field; there are rules, health"));
  EXPECT_THAT(complaint("health: {up: 1s}\n"), HasSubstr("health: needs both up and down"));
  EXPECT_THAT(complaint("health: {up: 1s, sideways: 1s}\n"), HasSubstr("health.sideways: unknown field"));
  EXPECT_THAT(complaint("a: [\n"), HasSubstr(".yaml:"));
  EXPECT_THROW(read_fault_file("/nonexistent/faults.yaml"), std::runtime_error);
}

FaultSubject subject(std::uint64_t number, std::string_view key = "", bool is_stream = true) {
  return {number, "qwen2", "/generate_stream", key, is_stream};
}

TEST(FaultPicker, EveryNthOfThoseThatFit) {
  FaultPlan plan;
  FaultRule rule;
  rule.kind = FaultKind::half_close;
  rule.model = "qwen2";
  rule.every = 3;
  plan.rules.push_back(rule);
  FaultPicker picker(plan);
  std::string fates;
  for (std::uint64_t i = 1; i <= 9; ++i) {
    EXPECT_EQ(picker.pick({i, "llama3", "/generate_stream", "", true}), nullptr);
    EXPECT_EQ(picker.pick(subject(i, "", false)), nullptr);  // whole answers have no tokens to close after
    fates += picker.pick(subject(i)) == nullptr ? '.' : 'x';
  }
  EXPECT_EQ(fates, "..x..x..x");
}

TEST(FaultPicker, DrawsDependOnTheKeyAloneAndHitTheirShare) {
  FaultPlan plan;
  FaultRule rule;
  rule.kind = FaultKind::half_close;
  rule.probability = 0.3;
  rule.seed = 5;
  plan.rules.push_back(rule);
  FaultPicker one(plan);
  FaultPicker other(plan);
  int hits = 0;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    const std::string key = "key-" + std::to_string(i);
    const bool is_hit = one.pick(subject(i, key)) != nullptr;
    hits += is_hit ? 1 : 0;
    EXPECT_EQ(other.pick(subject(77, key)) != nullptr, is_hit);
  }
  EXPECT_NEAR(hits, 3000, 230);  // five standard deviations, of draws that never change
}

TEST(FaultPicker, TheFirstRuleThatTakesItCounts) {
  FaultPlan plan;
  plan.rules.resize(2);
  plan.rules[0].key = "a";
  plan.rules[1].kind = FaultKind::status_429;
  FaultPicker picker(plan);
  EXPECT_EQ(picker.pick(subject(1, "a"))->kind, FaultKind::status_503);
  EXPECT_EQ(picker.pick(subject(2, "b"))->kind, FaultKind::status_429);
}

TEST(HealthFlap, GoesDownAfterUpAndComesBack) {
  const HealthFlap flap{10s, 2s};
  EXPECT_FALSE(is_down(flap, 0s));
  EXPECT_FALSE(is_down(flap, 9999ms));
  EXPECT_TRUE(is_down(flap, 10s));
  EXPECT_TRUE(is_down(flap, 11999ms));
  EXPECT_FALSE(is_down(flap, 12s));
}

}  // namespace
}  // namespace refserver
