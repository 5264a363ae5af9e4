// The scheduler by hand: each policy, each kind of batch and of prefill, and each limit with one that exceeds it.
#include "refserver/schedule/scheduler.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "refserver/schedule/tests/world.hpp"

namespace refserver {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

Trace basic() {
  Trace trace;
  trace.config.pool = {"m", 65, 16};
  trace.config.max_batch_prefill_tokens = 256;
  trace.config.has_prefix_cache = false;
  return trace;
}

Arrival request(std::uint32_t prompt, std::uint32_t answer, std::uint32_t at_us = 0) {
  return {.at_us = at_us, .own_tokens = prompt, .max_new_tokens = answer, .ignores_eos = true};
}

/// The lengths of the rows of every step.
std::vector<std::vector<std::uint32_t>> steps_of(World& world) {
  std::vector<std::vector<std::uint32_t>> steps;
  world.after_plan = [&steps](World& w) {
    auto& step = steps.emplace_back();
    for (const Row& row : w.plan->rows) step.push_back(row.count);
  };
  EXPECT_TRUE(world.run());
  EXPECT_EQ(world.fault, "");
  return steps;
}

std::vector<RequestId> admissions_of(Trace trace) {
  World world(std::move(trace));
  EXPECT_TRUE(world.run());
  return world.admissions;
}

using Steps = std::vector<std::vector<std::uint32_t>>;
using Ids = std::vector<RequestId>;

// ---- kinds of batch and prefill -------------------------------------------------------------------------------------

TEST(Scheduler, MixesPromptsIntoDecodeSteps) {
  Trace trace = basic();
  trace.config.max_batch_prefill_tokens = 10;
  trace.arrivals = {request(4, 4), request(20, 2, 1000)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{4}, {1, 9}, {1, 9}, {1, 2}, {1}}));
}

TEST(Scheduler, CapsChunksSoThatShortPromptsPass) {
  Trace trace = basic();
  trace.config.max_chunk_tokens = 6;
  trace.arrivals = {request(15, 1), request(3, 1)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{6, 3}, {6}, {3}}));
}

TEST(Scheduler, CutsAtTheLastBlockWhereAsked) {
  Trace trace = basic();
  trace.config.chunk_cut = ChunkCut::last_block;
  trace.arrivals = {request(40, 1)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{32}, {8}}));
}

TEST(Scheduler, ComputesPromptsApartWhereAsked) {
  Trace trace = basic();
  trace.config.prefill = PrefillKind::separate;
  trace.config.max_input_tokens = 100;
  trace.config.waiting_served_ratio = 2.0;  // one waiting is not enough for one running
  trace.config.max_waiting_tokens = 3;
  trace.arrivals = {request(4, 8), request(5, 2, 500)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{4}, {1}, {1}, {1}, {5}, {1, 1}, {1}, {1}, {1}}));
}

TEST(Scheduler, LetsEnoughWaitingOnesInAtOnceWherePromptsAreApart) {
  Trace trace = basic();
  trace.config.prefill = PrefillKind::separate;
  trace.config.max_input_tokens = 100;
  trace.config.waiting_served_ratio = 1.0;
  trace.arrivals = {request(4, 3), request(5, 1, 500)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{4}, {5}, {1}, {1}}));
}

TEST(Scheduler, NobodyJoinsAStaticBatch) {
  Trace trace = basic();
  trace.config.batch = BatchKind::fixed;
  trace.config.max_batch_size = 2;
  trace.arrivals = {request(2, 4), request(3, 2), request(5, 1), request(7, 1, 500)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{2, 3}, {1, 1}, {1}, {1}, {5, 7}}));
}

TEST(Scheduler, SerialRunsOneAtATime) {
  Trace trace = basic();
  trace.config.batch = BatchKind::serial;
  trace.arrivals = {request(2, 2), request(3, 2)};
  World world(std::move(trace));
  EXPECT_EQ(steps_of(world), (Steps{{2}, {1}, {3}, {1}}));
}

TEST(Scheduler, PlansNoRowBeforeItsTokenIsDue) {
  Trace trace = basic();
  trace.arrivals = {request(4, 2, 100)};
  trace.arrivals[0].first_due_after_us = 50'000;
  World world(std::move(trace));
  std::vector<TimePoint> starts;
  world.after_plan = [&starts](World& w) {
    starts.push_back(w.now);
    EXPECT_EQ(w.scheduler.find(1)->scheduled, TimePoint(microseconds(100)));  // let in, and holding blocks, at once
  };
  ASSERT_TRUE(world.run());
  ASSERT_EQ(starts.size(), 2U);
  EXPECT_EQ(starts[0], TimePoint(microseconds(50'100)));
}

// ---- policies -------------------------------------------------------------------------------------------------------

Trace one_at_a_time(PolicyKind policy) {
  Trace trace = basic();
  trace.config.batch = BatchKind::serial;
  trace.config.policy = policy;
  return trace;
}

TEST(Policy, PriorityGoesByClassThenArrival) {
  Trace trace = one_at_a_time(PolicyKind::priority);
  for (const std::uint32_t priority : {2U, 1U, 2U, 0U, 1U}) {
    trace.arrivals.push_back(request(4, 2));
    trace.arrivals.back().priority = priority;
  }
  EXPECT_EQ(admissions_of(trace), (Ids{4, 2, 5, 1, 3}));
}

TEST(Policy, AgeingLetsALowClassPassALaterHighOne) {
  Trace trace = one_at_a_time(PolicyKind::priority);
  trace.config.ageing = milliseconds(5);
  trace.arrivals = {request(4, 50), request(4, 2, 100), request(4, 2, 2'000), request(4, 2, 9'000)};
  trace.arrivals[1].priority = 1;
  EXPECT_EQ(admissions_of(trace), (Ids{1, 3, 2, 4}));
}

TEST(Policy, ShortestFirstGoesByUncachedPrompt) {
  Trace trace = one_at_a_time(PolicyKind::shortest_first);
  trace.config.has_prefix_cache = true;
  trace.arrivals = {request(1, 1), request(30, 1, 100), request(20, 1, 100), request(2, 1, 100)};
  trace.arrivals[0].shared_tokens = 64;
  // The longest prompt of all, but most of it is cached by the time it arrives.
  trace.arrivals.push_back(request(10, 1, 9'000));
  trace.arrivals[4].shared_tokens = 64;
  trace.arrivals.push_back(request(40, 10, 10));
  EXPECT_EQ(admissions_of(trace), (Ids{1, 4, 3, 5, 2, 6}));
}

TEST(Policy, FairServesTenantsAlike) {
  Trace trace = one_at_a_time(PolicyKind::fair);
  for (int i = 0; i < 4; ++i) trace.arrivals.push_back(request(10, 10));  // tenant 0 has a queue
  trace.arrivals.push_back(request(10, 10));
  trace.arrivals.push_back(request(10, 10));
  trace.arrivals[4].tenant = trace.arrivals[5].tenant = 1;
  EXPECT_EQ(admissions_of(trace), (Ids{1, 5, 2, 6, 3, 4}));
}

TEST(Policy, FairGivesNoCreditForIdling) {
  Trace trace = one_at_a_time(PolicyKind::fair);
  for (int i = 0; i < 6; ++i) trace.arrivals.push_back(request(10, 10));
  // Tenant 1 comes late: it goes next once, and then takes turns instead of catching up.
  for (int i = 0; i < 3; ++i) {
    trace.arrivals.push_back(request(10, 10, 25'000));
    trace.arrivals.back().tenant = 1;
  }
  const Ids ids = admissions_of(trace);
  EXPECT_EQ(ids.size(), 9U);
  for (std::size_t i = 3; i + 1 < 9; ++i) EXPECT_FALSE(ids[i] >= 7 && ids[i + 1] >= 7) << i;
}

TEST(Policy, BypassesAHeadThatDoesNotFitOnceOnly) {
  Trace trace = basic();
  trace.config.admission = AdmissionKind::reserve;
  trace.config.bypass_window = 4;
  trace.arrivals = {request(16, 800), request(16, 400, 100), request(16, 17, 200), request(16, 17, 300)};
  World world(trace);
  ASSERT_TRUE(world.run());
  EXPECT_EQ(world.admissions, (Ids{1, 3, 2, 4}));
  EXPECT_EQ(world.scheduler.counters().bypasses, 1U);
  trace.config.bypass_window = 0;
  EXPECT_EQ(admissions_of(trace), (Ids{1, 2, 3, 4}));
}

// ---- admission and preemption ---------------------------------------------------------------------------------------

TEST(Admission, OptimisticLetsInWhatReserveKeepsOut) {
  Trace trace = basic();
  trace.arrivals = {request(16, 600), request(16, 600)};
  trace.config.admission = AdmissionKind::reserve;
  World reserving(trace);
  ASSERT_TRUE(reserving.run());
  EXPECT_EQ(reserving.scheduler.counters().preemptions, 0U);
  trace.config.admission = AdmissionKind::optimistic;
  World optimistic(trace);
  ASSERT_TRUE(optimistic.run());
  EXPECT_EQ(optimistic.outcomes[2].preemptions, 1U);  // the later one gives way, once, and goes on afterwards
  EXPECT_EQ(optimistic.outcomes[1].preemptions, 0U);
  EXPECT_LT(optimistic.steps, reserving.steps);
  EXPECT_EQ(optimistic.outcomes[2].tokens, reserving.outcomes[2].tokens);
}

TEST(Admission, AdaptiveFallsWithoutAndJumpsAfterPreemption) {
  Trace trace = basic();
  trace.config.admission = AdmissionKind::adaptive;
  trace.config.overcommit_decay = 0.01;
  for (int i = 0; i < 12; ++i) trace.arrivals.push_back(request(16, 200));
  World world(trace);
  double lowest = 1;
  double before = world.scheduler.overcommit();
  std::size_t jumps = 0;
  world.after_commit = [&](World& w) {
    const double now = w.scheduler.overcommit();
    if (w.scheduler.last_step().preempted > 0) {
      EXPECT_GE(now, 0.7);
      ++jumps;
    } else {
      EXPECT_LE(now, before);
    }
    before = now;
    lowest = std::min(lowest, now);
  };
  ASSERT_TRUE(world.run());
  EXPECT_GT(jumps, 0U);
  EXPECT_GE(lowest, 0.1 - 1e-12);
  EXPECT_LT(lowest, 0.5);
}

TEST(Preemption, TakesTheLowestClassAndTheLatestArrival) {
  Trace trace = basic();
  trace.config.watermark = 0;
  trace.arrivals = {request(16, 400), request(16, 400, 1), request(16, 400, 2)};
  trace.arrivals[0].priority = 1;
  World world(trace);
  ASSERT_TRUE(world.run());
  EXPECT_GT(world.outcomes[1].preemptions, 0U);  // the oldest, but of the lower class
  EXPECT_EQ(world.outcomes[2].preemptions, 0U);
}

TEST(Preemption, SparesThoseThatHadItThreeTimes) {
  Sequence old, young;
  old.order = 1;
  young.order = 2;
  young.preemptions = 3;
  RunningSet running;
  running.insert(old, {});
  running.insert(young, {});
  EXPECT_EQ(&running.victim_for(old, 3), &old);  // rather itself
  old.preemptions = 3;
  EXPECT_EQ(&running.victim_for(old, 3), &young);  // all are: the latest after all
  young.preemptions = 2;
  EXPECT_EQ(&running.victim_for(old, 3), &young);
}

TEST(Preemption, AnswersThatOutgrowThePoolEndWithLength) {
  Trace trace = basic();
  trace.config.pool = {"m", 4, 4};
  trace.config.max_batch_prefill_tokens = 12;
  trace.arrivals = {request(5, 100)};
  World world(trace);
  ASSERT_TRUE(world.run());
  EXPECT_EQ(world.outcomes[1].finish, FinishReason::length);
  EXPECT_EQ(world.outcomes[1].tokens.size(), 8U);  // 12 slots, and one token that needs none
}

// ---- limits ---------------------------------------------------------------------------------------------------------

std::string problem_of(const std::function<void(SchedulerConfig&)>& change) {
  SchedulerConfig config = basic().config;
  EXPECT_FALSE(find_problem(config));
  change(config);
  const TestVocabulary vocabulary;
  const auto problem = find_problem(config);
  EXPECT_EQ(problem.has_value(), [&] {
    try {
      const Scheduler scheduler(config, vocabulary);
      return false;
    } catch (const std::invalid_argument& e) {
      return problem == e.what();
    }
  }());
  return problem.value_or("");
}

TEST(SchedulerConfig, NamesTheNumbersThatDoNotFit) {
  EXPECT_EQ(problem_of([](auto& c) { c.max_total_tokens = 1025; }),
            "max_total_tokens (1025) needs 65 blocks of 16 slots; the pool has 64");
  EXPECT_EQ(problem_of([](auto& c) { c.max_total_tokens = 1024; }), "");
  EXPECT_EQ(problem_of([](auto& c) { c.max_input_tokens = c.max_total_tokens = 100; }),
            "max_input_tokens (100) must be less than max_total_tokens (100)");
  EXPECT_EQ(problem_of([](auto& c) { c.max_input_tokens = 1025; }),
            "max_input_tokens (1025) must be less than max_total_tokens (1025)");
  EXPECT_EQ(problem_of([](auto& c) { c.max_batch_prefill_tokens = 1025; }),
            "max_batch_prefill_tokens (1025) exceeds the pool's 1024 slots");
  EXPECT_EQ(problem_of([](auto& c) { c.prefill = PrefillKind::separate; }),
            "max_batch_prefill_tokens (256) must reach max_input_tokens (1024) where prompts are not cut");
  EXPECT_NE(problem_of([](auto& c) { c.pool.blocks = 1; }), "");
  EXPECT_NE(problem_of([](auto& c) { c.pool.block_size = 0; }), "");
  EXPECT_NE(problem_of([](auto& c) { c.max_batch_size = 0; }), "");
  EXPECT_NE(problem_of([](auto& c) { c.max_batch_prefill_tokens = 0; }), "");
  EXPECT_NE(problem_of([](auto& c) { c.watermark = 1.5; }), "");
  EXPECT_NE(problem_of([](auto& c) { c.overcommit_least = 0.9; }), "");
  EXPECT_NE(problem_of([](auto& c) { c.ageing = std::chrono::hours(25); }), "");
  EXPECT_NE(problem_of([](auto& c) { c.queue_timeout = milliseconds(-1); }), "");
  EXPECT_NE(problem_of([](auto& c) { c.waiting_served_ratio = -1; }), "");
}

TEST(Limits, EachRefusesWhatExceedsIt) {
  SchedulerConfig config = basic().config;
  config.max_input_tokens = 50;
  config.max_total_tokens = 60;
  config.max_waiting_requests = 2;
  config.max_waiting_prompt_tokens = 90;
  const TestVocabulary vocabulary;
  Scheduler scheduler(config, vocabulary);
  const auto add = [&scheduler](RequestId id, std::uint32_t prompt, std::uint32_t answer) {
    return scheduler.add(spec_of(request(prompt, answer), id), TimePoint{});
  };
  EXPECT_EQ(add(1, 0, 1), Refusal::empty);
  EXPECT_EQ(add(1, 1, 0), Refusal::empty);
  EXPECT_EQ(add(1, 51, 1), Refusal::prompt_too_long);
  EXPECT_EQ(add(1, 50, 11), Refusal::total_too_long);
  EXPECT_EQ(add(1, 50, 10), std::nullopt);
  EXPECT_EQ(add(1, 5, 10), Refusal::duplicate);
  EXPECT_EQ(add(2, 41, 10), Refusal::queue_tokens);
  EXPECT_EQ(add(2, 40, 10), std::nullopt);
  EXPECT_EQ(add(3, 1, 1), Refusal::queue_full);
  EXPECT_TRUE(scheduler.cancel(2));  // frees the place at once
  RequestSpec late = spec_of(request(1, 1), 3);
  late.deadline = TimePoint{};
  EXPECT_EQ(scheduler.add(late, TimePoint{}), Refusal::deadline_passed);
  EXPECT_EQ(add(3, 1, 1), std::nullopt);
  EXPECT_FALSE(scheduler.cancel(77));
  EXPECT_EQ(scheduler.counters().refused, 8U);
}

TEST(Limits, QueueTimeAndDeadlinesDrop) {
  Trace trace = basic();
  trace.config.batch = BatchKind::serial;
  trace.config.queue_timeout = milliseconds(30);
  trace.arrivals = {request(4, 100), request(4, 1, 1'000), request(4, 100, 95'000)};
  trace.arrivals[2].deadline_after_us = 40'000;
  World world(trace);
  ASSERT_TRUE(world.run());
  EXPECT_EQ(world.outcomes[1].finish, FinishReason::length);  // waited for nothing: its queue time is over long since
  EXPECT_EQ(world.outcomes[2].dropped, DropReason::queue_timeout);
  EXPECT_EQ(world.outcomes[3].dropped, DropReason::deadline);
  EXPECT_FALSE(world.outcomes[3].tokens.empty());
}

TEST(Limits, ALostEngineFailsWhoRunsAndKeepsWhoWaits) {
  Trace trace = basic();
  trace.config.max_batch_size = 1;
  const TestVocabulary vocabulary;
  Scheduler scheduler(trace.config, vocabulary);
  for (RequestId id = 1; id <= 2; ++id) ASSERT_FALSE(scheduler.add(spec_of(request(20, 5), id), TimePoint{}));
  StepEvents events;
  ASSERT_EQ(scheduler.plan(TimePoint{}, events).rows.size(), 1U);
  scheduler.fail_running(events);
  ASSERT_EQ(events.dropped.size(), 1U);
  EXPECT_EQ(events.dropped[0].reason, DropReason::failed);
  EXPECT_EQ(events.released, (Ids{1}));
  EXPECT_EQ(scheduler.pool().used_blocks(), 0U);
  EXPECT_EQ(scheduler.plan(TimePoint{}, events).rows.at(0).sequence, 2U);
}

}  // namespace
}  // namespace refserver
