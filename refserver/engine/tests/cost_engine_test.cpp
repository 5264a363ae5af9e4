// Steps that take time: sums, shared devices, stalls and late loops; answers that nothing of this changes.
#include "refserver/engine/cost_engine.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cmath>

#include "refserver/engine/simulated_vocabulary.hpp"
#include "refserver/engine/tests/virtual_server.hpp"

namespace refserver {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

/// 1 ms per step, 10 us per prompt token, 100 us per other token, 1 us per token of context.
EngineSettings linear(const std::string& model = "m") {
  EngineSettings settings;
  settings.model = model;
  settings.kind = EngineKind::cost;
  settings.cost = {1e6, 0, 1e4, 1e5, 1e3};
  return settings;
}

VirtualServer server_of(const EngineSettings& settings, std::vector<Stall> stalls = {},
                        SchedulerConfig config = VirtualServer::roomy()) {
  return {config, std::move(make_engines({settings}, stalls).front())};
}

TEST(StepCost, AddsUp) {
  StepPlan plan;
  plan.rows.resize(2);
  plan.rows[0].position = 100;
  plan.rows[0].count = 1;
  plan.rows[1].position = 16;
  plan.rows[1].count = 50;
  plan.tokens = 51;
  plan.prefill_tokens = 50;
  plan.decode_rows = 1;
  EXPECT_DOUBLE_EQ((StepCost{7, 0, 2, 5, 3}.of(plan)), 7 + 2 * 50 + 5 + 3 * (101 + 66));
  EXPECT_DOUBLE_EQ((StepCost{7, 104, 2, 5, 0}.of(plan)), 7 + 105);  // the products take longer than the weights
  EXPECT_DOUBLE_EQ((StepCost{7, 106, 2, 5, 0}.of(plan)), 7 + 106);
}

TEST(CostEngine, TokensComeWhenTheirStepsEnd) {
  VirtualServer server = server_of(linear());
  const auto answers = server.run({request_of(1, kStart, 3, 40)});
  const auto& tokens = answers.at(1);
  ASSERT_EQ(tokens.size(), 3U);
  EXPECT_EQ(tokens[0].due, kStart + 1ms + 40 * 10us + 40us);
  EXPECT_EQ(tokens[1].due, tokens[0].due + 1ms + 100us + 41us);
  EXPECT_EQ(tokens[2].due, tokens[1].due + 1ms + 100us + 42us);
}

TEST(CostEngine, NoiseIsDrawnByStepAndSeed) {
  EngineSettings settings = linear();
  settings.noise = *parse_distribution("exp(3ms)");
  const auto last = [&settings] { return server_of(settings).run({request_of(1, kStart, 20, 4)}).at(1).back().due; };
  const TimePoint first = last();
  EXPECT_EQ(last(), first);
  EXPECT_GT(first, kStart + 20 * 1ms + 20ms);  // twenty draws of 3 ms
  settings.seed = 5;
  EXPECT_NE(last(), first);
}

TEST(CostEngine, WorkStandsStillDuringStalls) {
  VirtualServer server = server_of(linear(), {{2ms, 500ms}});
  const auto answers = server.run({request_of(1, kStart, 3, 40)});
  EXPECT_EQ(answers.at(1)[0].due, kStart + 1440us);
  EXPECT_EQ(answers.at(1)[1].due, kStart + 1440us + 1141us + 500ms);
}

/// Calls the device as a thread would that always wakes `late` after it meant to.
TimePoint last_token_of_late_loop(Device& device, std::chrono::nanoseconds late) {
  TimePoint now = kStart;
  TimePoint last;
  StepEvents events;
  for (auto next = device.advance(now, events); next; next = device.advance(now, events)) {
    if (*next > now) now = *next + late;
  }
  for (const TokenEvent& event : events.tokens) last = std::max(last, event.due);
  return last;
}

TEST(CostEngine, ALateLoopDoesNotSlowABusyDevice) {
  VirtualServer server = server_of(linear());
  for (RequestId id = 1; id <= 3; ++id) ASSERT_FALSE(server.device.add(0, request_of(id, kStart, 200, 4), kStart));
  const TimePoint on_time = last_token_of_late_loop(server.device, 0ns);
  VirtualServer other = server_of(linear());
  for (RequestId id = 1; id <= 3; ++id) ASSERT_FALSE(other.device.add(0, request_of(id, kStart, 200, 4), kStart));
  const TimePoint late = last_token_of_late_loop(other.device, 70us);
  EXPECT_EQ(late - on_time, 0us);
}

TEST(CostEngine, AnIdleDeviceBeginsWhenWorkIsReceived) {
  VirtualServer server = server_of(linear());
  const TimePoint seen = kStart + 300us;  // by the loop, which had to wake up first
  ASSERT_FALSE(server.device.add(0, request_of(1, kStart, 1, 40), seen));
  StepEvents events;
  TimePoint now = seen;
  while (const auto next = server.device.advance(now, events)) now = std::max(now, *next);
  ASSERT_EQ(events.tokens.size(), 1U);
  EXPECT_EQ(events.tokens[0].due, kStart + 1ms + 40 * 10us + 40us);
}

TEST(CostEngine, TwoModelsShareOneDevice) {
  auto made = make_engines({linear("a"), linear("b")}, {});
  Scheduler first(VirtualServer::roomy(), *made[0].vocabulary);
  Scheduler second(VirtualServer::roomy(), *made[1].vocabulary);
  Device device({{&first, made[0].engine.get()}, {&second, made[1].engine.get()}});
  ASSERT_FALSE(device.add(0, request_of(1, kStart, 50, 4), kStart));
  ASSERT_FALSE(device.add(1, request_of(2, kStart, 50, 4), kStart));
  const TimePoint last = last_token_of_late_loop(device, 70us);
  // Each has a step for its prompt and 49 of one token.
  std::chrono::nanoseconds work = 50 * 1ms + 4 * 10us + 49 * 100us;
  for (int context = 4; context <= 53; ++context) work += context * 1us;
  EXPECT_EQ(last - kStart, 2 * work);
}

std::vector<TokenId> ids(const std::vector<TokenEvent>& tokens) {
  std::vector<TokenId> out;
  for (const TokenEvent& event : tokens) out.push_back(event.token.id);
  return out;
}

TEST(CostEngine, AnswersDependOnSeedAndPromptAlone) {
  std::vector<RequestSpec> requests;
  for (RequestId id = 1; id <= 40; ++id) {
    requests.push_back(request_of(id, kStart + id * 1ms, 60, 10));
    requests.back().prompt[3] = static_cast<TokenId>(id % 20);
  }
  std::map<RequestId, std::vector<TokenId>> alone;
  for (const RequestSpec& spec : requests) alone[spec.id] = ids(server_of(linear()).run({spec}).begin()->second);
  EXPECT_EQ(alone[1], alone[21]);
  EXPECT_NE(alone[1], alone[2]);
  EngineSettings drafting = linear();
  drafting.drafts = 4;
  SchedulerConfig tight = VirtualServer::roomy();
  tight.pool.blocks = 12;
  tight.max_batch_prefill_tokens = 16;
  tight.max_drafts = 3;
  tight.has_prefix_cache = true;
  VirtualServer together = server_of(drafting, {}, tight);
  const auto answers = together.run(requests);
  EXPECT_GT(together.scheduler.counters().preemptions, 0U);
  EXPECT_GT(together.scheduler.counters().accepted_drafts, 0U);
  for (const RequestSpec& spec : requests) EXPECT_EQ(ids(answers.at(spec.id)), alone[spec.id]) << spec.id;
  EngineSettings other = linear();
  other.seed = 1;
  EXPECT_NE(ids(server_of(other).run({requests[0]}).at(1)), alone[1]);
}

TEST(CostEngine, DraftsAreRightAsOftenAsAsked) {
  for (const double acceptance : {0.0, 0.5, 0.8, 1.0}) {
    EngineSettings settings = linear();
    settings.drafts = 3;
    settings.draft_acceptance = acceptance;
    SchedulerConfig config = VirtualServer::roomy();
    config.max_drafts = 3;
    VirtualServer server = server_of(settings, {}, config);
    server.run({request_of(1, kStart, 20'001, 4)});
    // Of k guesses each right with chance a if those before it are, and one token always.
    const double a = acceptance;
    const double expected = 1 + a + a * a + a * a * a;
    const auto steps = static_cast<double>(server.scheduler.counters().steps - 1);
    EXPECT_NEAR(20'000 / steps, expected, 4 * 1.5 / std::sqrt(steps) * expected) << a;
  }
}

TEST(CostEngine, AnswersMayHaveALengthOfTheirOwn) {
  CostSettings settings;
  settings.cost.base = 1e6;
  settings.drafts = 2;
  settings.answer_length = [](const RequestSpec& spec) { return static_cast<std::uint32_t>(spec.id); };
  MadeEngine made;
  made.vocabulary = std::make_unique<SimulatedVocabulary>();
  made.engine =
      std::make_unique<CostEngine>(settings, std::make_shared<StallClock>(), std::make_shared<StepTimeline>());
  SchedulerConfig config = VirtualServer::roomy();
  config.max_drafts = 2;
  VirtualServer server(config, std::move(made));
  std::vector<RequestSpec> requests;
  for (RequestId id = 1; id <= 12; ++id) requests.push_back(request_of(id, kStart, 10));
  requests[2].min_new_tokens = 5;
  requests[3].ignores_eos = true;
  const auto answers = server.run(requests);
  EXPECT_EQ(answers.at(1).size(), 1U);
  EXPECT_EQ(answers.at(7).size(), 7U);
  EXPECT_EQ(answers.at(7).back().finish, FinishReason::eos_token);
  EXPECT_EQ(answers.at(12).size(), 10U);
  EXPECT_EQ(answers.at(12).back().finish, FinishReason::length);
  EXPECT_EQ(answers.at(3).size(), 6U);
  EXPECT_EQ(answers.at(4).size(), 10U);
  for (const TokenEvent& event : answers.at(7)) EXPECT_EQ(event.token.is_special, event.index == 7);
}

}  // namespace
}  // namespace refserver
