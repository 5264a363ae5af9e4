// The script of the simulated engine, with a hand-moved clock.
#include "refserver/engine/simulated_engine.hpp"

#include <gtest/gtest.h>

#include "refserver/tests/pipeline.hpp"

namespace refserver {
namespace {

using namespace std::chrono_literals;

Pending pending(RequestId id, TimePoint received, std::uint32_t tokens, const std::string& more = "") {
  auto valid = validated(Route::generate,
                         R"({"inputs":"a","parameters":{"max_new_tokens":)" + std::to_string(tokens) + more + "}}");
  return {id, received, std::move(valid->request)};
}

constexpr TimePoint kStart{1000s};

TEST(SimulatedEngine, TokensAreDueOnAbsoluteDeadlines) {
  SimulatedEngine engine({{100ms, 20ms}}, std::nullopt);
  std::vector<TokenEvent> out;
  engine.add(pending(1, kStart, 3));
  EXPECT_EQ(engine.step(kStart, out), kStart + 100ms);
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(engine.step(kStart + 100ms - 1ns, out), kStart + 100ms);
  EXPECT_TRUE(out.empty());
  // A late step neither loses a token nor moves the ones after it.
  EXPECT_EQ(engine.step(kStart + 135ms, out), kStart + 140ms);
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[0].due, kStart + 100ms);
  EXPECT_EQ(out[1].due, kStart + 120ms);
  EXPECT_EQ(out[0].token.text, " t1");
  EXPECT_EQ(out[1].token.text, " t2");
  EXPECT_FALSE(out[1].finish);
  EXPECT_EQ(engine.step(kStart + 140ms, out), std::nullopt);
  EXPECT_EQ(out.back().index, 3U);
  EXPECT_EQ(out.back().finish, FinishReason::length);
  EXPECT_FALSE(out.back().token.is_special);
  EXPECT_EQ(engine.active(), 0U);
}

TEST(SimulatedEngine, LoadDoesNotMoveDeadlines) {
  SimulatedEngine engine({{10ms, 1ms}}, std::nullopt);
  std::vector<TokenEvent> out;
  for (RequestId id = 1; id <= 200; ++id) engine.add(pending(id, kStart + id * 1us, 50));
  TimePoint now = kStart;
  while (const auto next = engine.step(now, out)) now = *next;
  ASSERT_EQ(out.size(), 200U * 50);
  for (std::size_t i = 1; i < out.size(); ++i) EXPECT_LE(out[i - 1].due, out[i].due);
  for (const TokenEvent& e : out) EXPECT_EQ(e.due, kStart + e.request * 1us + 10ms + (e.index - 1) * 1ms);
}

TEST(SimulatedEngine, ModelsHaveTheirOwnTiming) {
  SimulatedEngine engine({{100ms, 20ms}, {5ms, 1ms}}, std::nullopt);
  Pending other = pending(2, kStart, 1);
  other.request.model = 1;
  engine.add(pending(1, kStart, 1));
  engine.add(std::move(other));
  std::vector<TokenEvent> out;
  EXPECT_EQ(engine.step(kStart + 5ms, out), kStart + 100ms);
  ASSERT_EQ(out.size(), 1U);
  EXPECT_EQ(out[0].request, 2U);
}

TEST(SimulatedEngine, CancelledRequestsGiveNothingMore) {
  SimulatedEngine engine({{10ms, 1ms}}, std::nullopt);
  std::vector<TokenEvent> out;
  engine.add(pending(1, kStart, 100));
  engine.step(kStart + 10ms, out);
  ASSERT_EQ(out.size(), 1U);
  engine.cancel(1);
  engine.cancel(77);
  EXPECT_EQ(engine.active(), 0U);
  EXPECT_EQ(engine.step(kStart + 50ms, out), std::nullopt);
  EXPECT_EQ(out.size(), 1U);
}

TEST(SimulatedEngine, StallHoldsTokensUntilItsEndAndNoLonger) {
  SimulatedEngine engine({{100ms, 100ms}}, SimStall{250ms, 200ms});
  std::vector<TokenEvent> out;
  engine.add(pending(1, kStart, 6));
  TimePoint now = kStart;
  while (const auto next = engine.step(now, out)) now = *next;
  ASSERT_EQ(out.size(), 6U);
  // On the grid: 100, 200, 300, 400, 500, 600; the stall covers [250, 450).
  const std::chrono::milliseconds due[] = {100ms, 200ms, 450ms, 450ms, 500ms, 600ms};
  for (std::size_t i = 0; i < 6; ++i) EXPECT_EQ(out[i].due, kStart + due[i]) << i;
}

TEST(SimulatedEngine, StopSequencesEndTheAnswer) {
  const auto tokens = [](const std::string& stop) {
    return all_tokens(std::move(pending(1, kStart, 50, R"(,"stop":)" + stop).request));
  };
  EXPECT_EQ(tokens(R"([" t12"])").size(), 12U);
  EXPECT_EQ(tokens(R"(["t9 t10"])").size(), 10U);
  EXPECT_EQ(tokens(R"(["t1 "])").size(), 50U);  // ends inside a token: TGI does not see it either
  EXPECT_EQ(tokens(R"([""])").size(), 1U);
  EXPECT_EQ(tokens(R"(["t7"])").back().finish, FinishReason::stop_sequence);
  EXPECT_EQ(tokens(R"(["t50"])").back().finish, FinishReason::length);
}

TEST(SimulatedEngine, OneStepStaysShort) {
  SimulatedEngine engine({{0ms, 0ms}}, std::nullopt);
  std::vector<TokenEvent> out;
  engine.add(pending(1, kStart, 10'000));
  EXPECT_EQ(engine.step(kStart, out), kStart);  // more is due at once
  EXPECT_LT(out.size(), 10'000U);
  while (engine.step(kStart, out)) {
  }
  EXPECT_EQ(out.size(), 10'000U);
}

}  // namespace
}  // namespace refserver
