// The script behind the real scheduler: who answers when, whatever else runs.
#include "refserver/engine/scripted_engine.hpp"

#include <gtest/gtest.h>

#include <chrono>

#include "refserver/engine/keyed_random.hpp"
#include "refserver/engine/tests/virtual_server.hpp"

namespace refserver {
namespace {

using namespace std::chrono_literals;

constexpr TimePoint kStart{1000s};

EngineSettings timing(std::chrono::nanoseconds ttft, std::chrono::nanoseconds gap) {
  EngineSettings settings;
  settings.model = "m";
  settings.ttft = ttft;
  settings.gap = gap;
  return settings;
}

VirtualServer server_of(const EngineSettings& settings, std::vector<Stall> stalls = {}) {
  auto made = make_engines({settings}, stalls);
  return {VirtualServer::roomy(), std::move(made.front())};
}

TEST(ScriptedEngine, TokensAreDueOnAbsoluteDeadlines) {
  VirtualServer server = server_of(timing(100ms, 20ms));
  const auto answers = server.run({request_of(1, kStart, 3)});
  const auto& tokens = answers.at(1);
  ASSERT_EQ(tokens.size(), 3U);
  for (std::uint32_t i = 0; i < 3; ++i) {
    EXPECT_EQ(tokens[i].due, kStart + 100ms + i * 20ms);
    EXPECT_EQ(tokens[i].token.text, " t" + std::to_string(i + 1));
    EXPECT_EQ(tokens[i].token.id, i + 1);
    EXPECT_FALSE(tokens[i].token.is_special);
  }
  EXPECT_EQ(tokens.back().finish, FinishReason::length);
}

TEST(ScriptedEngine, ALateStepNeitherLosesNorMovesTokens) {
  VirtualServer server = server_of(timing(100ms, 20ms));
  ASSERT_FALSE(server.device.add(0, request_of(1, kStart, 4), kStart));
  StepEvents events;
  EXPECT_EQ(server.device.advance(kStart, events), kStart + 100ms);
  EXPECT_TRUE(events.tokens.empty());
  const TimePoint late = kStart + 135ms;
  for (auto next = server.device.advance(late, events); next && *next <= late;) {
    next = server.device.advance(late, events);
  }
  ASSERT_EQ(events.tokens.size(), 2U);
  EXPECT_EQ(events.tokens[0].due, kStart + 100ms);
  EXPECT_EQ(events.tokens[1].due, kStart + 120ms);
  EXPECT_EQ(server.device.advance(late, events), kStart + 140ms);
}

TEST(ScriptedEngine, LoadDoesNotMoveDeadlines) {
  VirtualServer server = server_of(timing(10ms, 1ms));
  std::vector<RequestSpec> requests;
  for (RequestId id = 1; id <= 200; ++id) requests.push_back(request_of(id, kStart + id * 1us, 50, 100));
  const auto answers = server.run(requests);
  ASSERT_EQ(answers.size(), 200U);
  for (const auto& [id, tokens] : answers) {
    ASSERT_EQ(tokens.size(), 50U);
    for (const TokenEvent& e : tokens) ASSERT_EQ(e.due, kStart + id * 1us + 10ms + (e.index - 1) * 1ms);
  }
}

TEST(ScriptedEngine, PromptsLongerThanAStepAreNoDelay) {
  VirtualServer server = server_of(timing(10ms, 1ms));
  const auto answers = server.run({request_of(1, kStart, 2, 30'000)});
  EXPECT_EQ(answers.at(1).front().due, kStart + 10ms);
  EXPECT_EQ(answers.at(1).back().due, kStart + 11ms);
}

TEST(ScriptedEngine, StallsHoldTokensUntilTheirEndAndNoLonger) {
  VirtualServer server = server_of(timing(100ms, 100ms), {{700ms, 50ms}, {250ms, 150ms}, {300ms, 150ms}});
  const auto answers = server.run({request_of(1, kStart, 8)});
  // The grid is 100, 200, ...; the stalls cover [250, 450) and [700, 750).
  const std::chrono::milliseconds due[] = {100ms, 200ms, 450ms, 450ms, 500ms, 600ms, 750ms, 800ms};
  ASSERT_EQ(answers.at(1).size(), std::size(due));
  for (std::size_t i = 0; i < std::size(due); ++i) EXPECT_EQ(answers.at(1)[i].due, kStart + due[i]) << i;
}

TEST(ScriptedEngine, OneClockOfStallsForAllModels) {
  auto made = make_engines({timing(100ms, 100ms), timing(100ms, 100ms)}, {{250ms, 200ms}});
  const auto due = [&made](std::size_t model, RequestId id, TimePoint received) {
    return made[model].engine->admit(request_of(id, received, 1));
  };
  EXPECT_EQ(due(0, 1, kStart), kStart + 100ms);
  EXPECT_EQ(due(1, 2, kStart + 200ms), kStart + 450ms);  // counted from the other model's request
}

TEST(ScriptedEngine, StopSequencesAndAlternativesAreNamedByIndex) {
  VirtualServer server = server_of(timing(0ms, 0ms));
  RequestSpec spec = request_of(1, kStart, 50);
  spec.stop = {"t9 t10"};
  spec.top_n_tokens = 3;
  const auto answers = server.run({spec});
  const auto& tokens = answers.at(1);
  ASSERT_EQ(tokens.size(), 10U);
  EXPECT_EQ(tokens.back().finish, FinishReason::stop_sequence);
  ASSERT_EQ(tokens[4].top_tokens.size(), 3U);
  EXPECT_EQ(tokens[4].top_tokens[0].text, " t5");
  EXPECT_EQ(tokens[4].top_tokens[0].logprob, tokens[4].token.logprob);
  EXPECT_EQ(tokens[4].top_tokens[1].text, " a2");
  EXPECT_EQ(tokens[4].top_tokens[2].id, 1'000'003U);
  EXPECT_LT(tokens[4].top_tokens[2].logprob, tokens[4].top_tokens[1].logprob);
}

/// Token times of one request relative to its arrival.
std::vector<std::chrono::nanoseconds> times(const std::vector<TokenEvent>& tokens, TimePoint received) {
  std::vector<std::chrono::nanoseconds> out;
  for (const TokenEvent& event : tokens) out.push_back(event.due - received);
  return out;
}

TEST(ScriptedEngine, DrawsDependOnTheKeyAndNotOnOrderCompanyOrPreemption) {
  EngineSettings settings = timing(0ms, 0ms);
  settings.ttft = *parse_distribution("exp(50ms)");
  settings.gap = *parse_distribution("pareto(1ms,1.1,2s)");
  settings.seed = 11;
  std::map<std::string, std::vector<std::chrono::nanoseconds>> alone;
  for (int i = 0; i < 30; ++i) {
    RequestSpec spec = request_of(static_cast<RequestId>(900 - i), kStart + i * 3s, 40);
    spec.draw_key = "k" + std::to_string(i);
    VirtualServer server = server_of(settings);
    alone[spec.draw_key] = times(server.run({spec}).begin()->second, spec.received);
  }
  EXPECT_NE(alone["k1"], alone["k2"]);
  // All at once under other ids, in a pool that cannot hold them all: some are preempted and computed again.
  SchedulerConfig tight = VirtualServer::roomy();
  tight.pool.blocks = 41;
  tight.max_batch_prefill_tokens = 64;
  VirtualServer together(tight, std::move(make_engines({settings}, {}).front()));
  std::vector<RequestSpec> requests;
  for (int i = 29; i >= 0; --i) {
    requests.push_back(request_of(static_cast<RequestId>(1 + i), kStart, 40));
    requests.back().draw_key = "k" + std::to_string(i);
  }
  const auto answers = together.run(requests);
  EXPECT_GT(together.scheduler.counters().preemptions, 0U);
  for (const RequestSpec& spec : requests) {
    const auto& tokens = answers.at(spec.id);
    ASSERT_EQ(tokens.size(), 40U);
    for (std::size_t i = 1; i < tokens.size(); ++i) ASSERT_EQ(tokens[i].index, i + 1);
    EXPECT_EQ(times(tokens, kStart), alone[spec.draw_key]) << spec.draw_key;
  }
}

TEST(ScriptedEngine, ModelsAndSeedsHaveDrawsOfTheirOwn) {
  EngineSettings a = timing(0ms, 0ms);
  a.ttft = *parse_distribution("exp(50ms)");
  EngineSettings b = a;
  b.model = "other";
  EngineSettings c = a;
  c.seed = 1;
  auto made = make_engines({a, b, c, a}, {});
  std::vector<TimePoint> due;
  due.reserve(made.size());
  for (auto& of : made) due.push_back(*of.engine->admit(request_of(1, kStart, 1)));
  EXPECT_NE(due[0], due[1]);
  EXPECT_NE(due[0], due[2]);
  EXPECT_EQ(due[0], due[3]);
}

}  // namespace
}  // namespace refserver
