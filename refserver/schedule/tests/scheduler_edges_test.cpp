// Corners that random traces reach too rarely to rely on: drafts at the edge of the budget and of the answer, and what
// a row that is taken back leaves behind.
#include <gtest/gtest.h>

#include "refserver/schedule/scheduler.hpp"
#include "refserver/schedule/tests/world.hpp"

namespace refserver {
namespace {

TEST(Scheduler, DraftsTakeNobodysOneToken) {
  Trace trace;
  trace.config.pool = {"m", 65, 16};
  trace.config.max_batch_prefill_tokens = 5;
  trace.config.max_drafts = 4;
  trace.engine = {.drafts = 4, .accuracy_percent = 100};
  for (int i = 0; i < 3; ++i) trace.arrivals.push_back({.own_tokens = 1, .max_new_tokens = 60, .ignores_eos = true});
  World world(trace);
  std::size_t drafted = 0;
  std::size_t together = 0;
  world.after_plan = [&](World& w) {
    if (w.scheduler.running() < 3 || w.steps < 5) return;
    ++together;
    EXPECT_EQ(w.plan->rows.size(), 3U);
    for (const Row& row : w.plan->rows) drafted += row.drafts.size();
  };
  ASSERT_TRUE(world.run());
  EXPECT_EQ(world.fault, "");
  EXPECT_GT(together, 5U);
  EXPECT_GT(drafted, 0U);
}

TEST(Scheduler, RightGuessesBehindAStopAreNotPartOfTheText) {
  SchedulerConfig config;
  config.pool = {"m", 33, 1};
  config.max_batch_prefill_tokens = 16;
  config.max_drafts = 3;
  const TestVocabulary vocabulary;
  Scheduler scheduler(config, vocabulary);
  RequestSpec spec;
  spec.id = 1;
  spec.prompt = {10, 11};
  spec.max_new_tokens = 20;
  spec.stop = {" w5"};
  ASSERT_FALSE(scheduler.add(spec, {}));
  StepEvents events;
  StepResult result;
  scheduler.plan({}, events);
  result.rows.assign(1, {});
  result.rows[0].token = {4, 0, {}};
  result.rows[0].drafts = {5, 6, 7};
  scheduler.commit(result, {}, events);
  ASSERT_EQ(scheduler.plan({}, events).rows.at(0).drafts.size(), 3U);
  events.clear();
  result.rows.assign(1, {});
  result.rows[0].accepted = {{5, 0, {}}, {6, 0, {}}, {7, 0, {}}};
  result.rows[0].token = {8, 0, {}};
  scheduler.commit(result, {}, events);
  ASSERT_EQ(events.tokens.size(), 1U);
  EXPECT_EQ(events.tokens[0].finish, FinishReason::stop_sequence);
  EXPECT_EQ(scheduler.counters().accepted_drafts, 1U);
  EXPECT_EQ(scheduler.pool().cached_contents(), 4U);  // 10, 11, 4, 5: nothing that was never said
  EXPECT_EQ(scheduler.pool().used_blocks(), 0U);
}

TEST(Scheduler, ARowTakenBackGivesItsTokensToOthers) {
  SchedulerConfig config;
  config.pool = {"m", 23, 16};
  config.max_batch_prefill_tokens = 200;
  config.max_chunk_tokens = 16;
  config.watermark = 0;
  config.has_prefix_cache = false;
  const TestVocabulary vocabulary;
  Scheduler scheduler(config, vocabulary);
  RequestId id = 0;
  for (const std::uint32_t prompt : {160U, 160U, 15U, 15U}) {
    const Arrival arrival{.own_tokens = prompt, .max_new_tokens = 100, .ignores_eos = true};
    ASSERT_FALSE(scheduler.add(spec_of(arrival, ++id), {}));
  }
  StepEvents events;
  StepResult result;
  std::vector<std::uint32_t> counts;
  for (int step = 1; step <= 10; ++step) {
    // After the first step 33 tokens: one each for the two short requests, a chunk for the first, 15 for the second.
    const StepPlan& plan = scheduler.plan({}, events, step == 1 ? 200 : 33);
    counts.clear();
    for (const Row& row : plan.rows) counts.push_back(row.count);
    if (step == 9) {
      EXPECT_EQ(counts, (std::vector<std::uint32_t>{1, 1, 16, 15}));
    }
    result.rows.assign(plan.rows.size(), {});
    scheduler.commit(result, {}, events);
  }
  // In the tenth the first prompt finds no block and takes the latest request's, whose row was planned already: the
  // second prompt gets the token that frees.
  EXPECT_EQ(scheduler.last_step().preempted, 1U);
  EXPECT_EQ(counts, (std::vector<std::uint32_t>{1, 16, 16}));
}

}  // namespace
}  // namespace refserver
