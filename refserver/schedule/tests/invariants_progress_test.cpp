// What holds of whole traces: everyone gets done, nobody is passed over unseen, waiting is bounded where it should be.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "refserver/schedule/tests/trace_gen.hpp"

namespace refserver {
namespace {

RC_GTEST_PROP(Invariants, Invariant14_every_request_ends_within_a_bounded_number_of_steps, ()) {
  Trace trace = arbitrary_trace({.has_due_times = true});
  // A step computes at least one token. No request needs more than its length for each time it is preempted, and
  // whoever ranks first among the running is never preempted, so that each preemption of others buys it progress.
  std::size_t tokens = 0;
  for (const Arrival& a : trace.arrivals) tokens += a.shared_tokens + a.own_tokens + a.max_new_tokens;
  World world(std::move(trace));
  run_to_the_end(world, 10 * tokens + 100);
  RC_ASSERT(world.scheduler.in_flight() == 0U);
}

RC_GTEST_PROP(Invariants, Invariant15_fcfs_admits_in_order_of_arrival_but_for_counted_bypasses, ()) {
  World world(arbitrary_trace({.policy = PolicyKind::fcfs, .has_due_times = true}));
  run_to_the_end(world);
  // Each bypass lets one request pass a head that goes on waiting, and nothing else does. Where the head was preempted,
  // no order of arrival is broken.
  const SchedulerCounters& counters = world.scheduler.counters();
  RC_ASSERT(world.overtakings <= counters.bypasses);
  if (counters.preemptions == 0) RC_ASSERT(world.overtakings == counters.bypasses);
  if (world.trace.config.bypass_window == 0) RC_ASSERT(counters.bypasses == 0U);
}

/// Requests that take one second each, one at a time, and arrive more slowly than that.
Trace light_load(std::chrono::nanoseconds ageing) {
  Trace trace;
  trace.config.pool = {"m", 64, 16};
  trace.config.batch = BatchKind::serial;
  trace.config.policy = PolicyKind::priority;
  trace.config.max_batch_prefill_tokens = 256;
  trace.config.ageing = ageing;
  trace.config.has_prefix_cache = false;
  trace.engine.step_cost = std::chrono::seconds(1);
  trace.engine.token_cost = std::chrono::nanoseconds(0);
  return trace;
}

RC_GTEST_PROP(Invariants, Invariant16_ageing_bounds_the_wait_of_every_class, ()) {
  constexpr std::uint32_t kSecond = 1'000'000;
  const auto ageing_s = *rc::gen::inRange(1U, 20U);
  Trace trace = light_load(std::chrono::seconds(ageing_s));
  // Class 0 alone takes 90 % of the server, the lower ones what is left and, in bursts, more.
  for (std::uint32_t i = 0; i < 150; ++i) trace.arrivals.push_back({.at_us = i * kSecond / 9 * 10});
  const auto lower = *rc::gen::container<std::vector<std::pair<std::uint32_t, std::uint32_t>>>(
      rc::gen::pair(rc::gen::inRange(0U, 100 * kSecond), rc::gen::inRange(1U, 4U)));
  for (const auto& [at_us, priority] : lower) {
    if (trace.arrivals.size() < 170) trace.arrivals.push_back({.at_us = at_us, .priority = priority});
  }
  World world(trace);
  run_to_the_end(world);
  // Nobody who arrives more than class x ageing later goes first. So a request waits at most until a server that never
  // idles is done with everything that arrived before then.
  std::vector<std::uint64_t> arrivals;
  for (const Arrival& arrival : trace.arrivals) arrivals.push_back(arrival.at_us);
  std::ranges::sort(arrivals);
  for (const auto& [id, outcome] : world.outcomes) {
    const Arrival& own = trace.arrivals[id - 1];
    const std::uint64_t last = own.at_us + std::uint64_t{own.priority} * ageing_s * kSecond;
    std::uint64_t done = 0;
    for (const std::uint64_t at : arrivals) {
      if (at <= last) done = std::max(done, at) + kSecond;
    }
    const auto scheduled = std::chrono::duration_cast<std::chrono::microseconds>(outcome.scheduled->time_since_epoch());
    RC_ASSERT(static_cast<std::uint64_t>(scheduled.count()) <= done);
  }
}

TEST(Priority, StarvesWithoutAgeing) {
  Trace trace = light_load(std::chrono::nanoseconds(0));
  trace.arrivals.push_back({.at_us = 100, .priority = 1});
  for (std::uint32_t i = 0; i < 50; ++i) trace.arrivals.push_back({.at_us = i * 900'000});
  World world(trace);
  ASSERT_TRUE(world.run());
  EXPECT_EQ(world.admissions.back(), 1U);
}

RC_GTEST_PROP(Invariants, Invariant17_reserving_admission_never_preempts, ()) {
  World world(arbitrary_trace({.admission = AdmissionKind::reserve, .has_due_times = true}));
  run_to_the_end(world);
  RC_ASSERT(world.scheduler.counters().preemptions == 0U);
}

RC_GTEST_PROP(Invariants, Invariant18_one_request_runs_alike_under_both_admissions, ()) {
  Trace trace = arbitrary_trace({.admission = AdmissionKind::optimistic, .requests = 4});
  RC_PRE(!trace.arrivals.empty());
  trace.arrivals.resize(1);
  std::vector<std::string> steps[2];
  for (auto& of_run : steps) {
    World world(trace);
    world.after_plan = [&of_run](World& w) {
      const Row& row = w.plan->rows.at(0);
      of_run.push_back(fmt::format("{} {}+{} {} {}", w.now.time_since_epoch().count(), row.position, row.count,
                                   row.wants_token, row.drafts.size()));
    };
    run_to_the_end(world);
    RC_ASSERT(world.scheduler.counters().preemptions == 0U);
    trace.config.admission = AdmissionKind::reserve;
  }
  RC_ASSERT(steps[0] == steps[1]);
}

TEST(Scheduler, LeaksNoBlockInAHundredThousandRequests) {
  Trace trace;
  trace.config.pool = {"m", 40, 4};
  trace.config.max_batch_prefill_tokens = 32;
  trace.config.max_batch_size = 12;
  trace.config.max_drafts = 2;
  trace.config.watermark = 0;
  trace.engine.drafts = 2;
  trace.engine.failing_permille = 1;
  std::uint64_t state = 7;
  const auto random = [&state](std::uint32_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>((state >> 33U) % below);
  };
  constexpr std::size_t kRequests = 100'000;
  for (std::uint32_t i = 0; i < kRequests; ++i) {
    Arrival arrival;
    arrival.at_us = i * 4000 + random(8000);
    arrival.family = random(4);
    arrival.shared_tokens = random(20);
    arrival.own_tokens = 1 + random(12);
    arrival.max_new_tokens = 1 + random(30);
    arrival.priority = random(3);
    if (random(4) == 0) arrival.cancel_after_us = random(60'000);
    trace.arrivals.push_back(arrival);
  }
  World world(std::move(trace));
  ASSERT_TRUE(world.run(100 * kRequests)) << world.fault;
  EXPECT_EQ(world.fault, "");
  const SchedulerCounters& counters = world.scheduler.counters();
  EXPECT_EQ(counters.received, kRequests);
  EXPECT_GT(counters.preemptions, 1000U);
  EXPECT_GT(counters.cancelled, 10'000U);
  EXPECT_GT(counters.finished(), 50'000U);
  EXPECT_GT(counters.failed, 100U);
  const BlockPool& pool = world.scheduler.pool();
  EXPECT_EQ(pool.free_blocks(), pool.capacity());
  EXPECT_EQ(pool.written_slots(), 0U);
  for (BlockId id = 0; id <= pool.capacity(); ++id) EXPECT_EQ(pool.describe(id).references, 0U);
  EXPECT_EQ(world.engine.known_sequences(), 0U);
}

}  // namespace
}  // namespace refserver
