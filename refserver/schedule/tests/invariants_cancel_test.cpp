// What holds of cancellation and of limits: nothing comes after an end, everything is accounted for at any time.
#include <map>

#include "refserver/queue/admission.hpp"
#include "refserver/schedule/tests/trace_gen.hpp"

namespace refserver {
namespace {

constexpr TraceShape kHard{
    .has_deadlines = true, .has_queue_limits = true, .has_due_times = true, .has_failures = true};

RC_GTEST_PROP(Invariants, Invariant19_cancelled_requests_are_silent_and_free_at_the_end_of_the_step, ()) {
  World world(arbitrary_trace({.has_due_times = true}));
  const auto check_gone = [](World& w) {
    for (const auto& [id, outcome] : w.outcomes) {
      if (outcome.cancelled) RC_ASSERT(w.scheduler.find(id) == nullptr);
    }
  };
  // A request that only waits, or whose token is not due, leaves at once.
  world.after_cancel = [](World& w) {
    for (const auto& [id, outcome] : w.outcomes) {
      const Sequence* const sequence = w.scheduler.find(id);
      if (outcome.cancelled && sequence != nullptr) RC_ASSERT(sequence->row != Sequence::kNoRow);
    }
  };
  // That blocks of the gone are free is invariant 2: references count the tables of those that are left. The world
  // itself checks that no event follows.
  world.after_commit = check_gone;
  run_to_the_end(world);
  check_gone(world);
}

RC_GTEST_PROP(Invariants, Invariant20_every_request_is_in_exactly_one_state, ()) {
  World world(arbitrary_trace(kHard));
  const auto check = [](const World& w) {
    const SchedulerCounters& c = w.scheduler.counters();
    std::uint64_t being_cancelled = 0;  // counted as cancelled, still holding blocks until its step ends
    for (const Sequence* const sequence : w.scheduler.running_members()) being_cancelled += sequence->is_cancelled;
    RC_ASSERT(c.received == c.refused + c.finished() + c.cancelled + c.timed_out + c.failed + w.scheduler.in_flight() -
                                being_cancelled);
    RC_ASSERT(w.scheduler.in_flight() == w.scheduler.running() + w.scheduler.waiting());
  };
  world.after_plan = check;
  world.after_commit = check;
  world.after_cancel = check;
  run_to_the_end(world);
  check(world);
  const SchedulerCounters& c = world.scheduler.counters();
  std::uint64_t refused = 0, finished = 0, cancelled = 0, timed_out = 0, failed = 0;
  for (const auto& [id, outcome] : world.outcomes) {
    RC_ASSERT(outcome.refusal.has_value() + outcome.finish.has_value() + outcome.dropped.has_value() +
                  outcome.cancelled.has_value() ==
              1);
    refused += outcome.refusal.has_value();
    finished += outcome.finish.has_value();
    cancelled += outcome.cancelled.has_value();
    failed += outcome.dropped == DropReason::failed;
    timed_out += outcome.dropped.has_value() && outcome.dropped != DropReason::failed;
  }
  RC_ASSERT(c.refused == refused);
  RC_ASSERT(c.finished() == finished);
  RC_ASSERT(c.cancelled == cancelled);
  RC_ASSERT(c.timed_out == timed_out);
  RC_ASSERT(c.failed == failed);
}

RC_GTEST_PROP(Invariants, Invariant21_permits_in_use_are_requests_in_flight, ()) {
  World world(arbitrary_trace(kHard));
  Admission admission(1'000'000);
  std::map<RequestId, Admission::Permit> permits;
  const auto check = [&](World& w) {
    for (const auto& [id, outcome] : w.outcomes) {
      if (outcome.is_over()) {
        permits.erase(id);
      } else if (!permits.contains(id)) {
        permits.emplace(id, *admission.try_enter());
      }
    }
    RC_ASSERT(admission.in_use() == w.scheduler.in_flight());
  };
  world.after_commit = check;
  run_to_the_end(world);
  check(world);
  RC_ASSERT(admission.in_use() == 0U);
}

RC_GTEST_PROP(Invariants, Invariant22_queues_never_exceed_their_limits, ()) {
  World world(arbitrary_trace(kHard));
  std::size_t rows = 0;
  const auto check_queue = [](const World& w) {
    const SchedulerConfig& config = w.scheduler.config();
    std::uint64_t requests = 0;
    std::uint64_t tokens = 0;
    for (const auto& [id, outcome] : w.outcomes) {
      const Sequence* const sequence = w.scheduler.find(id);
      // Preempted requests come back over the limit: they were let in once.
      if (sequence == nullptr || sequence->place == Place::running || sequence->preemptions > 0) continue;
      ++requests;
      tokens += sequence->known();
    }
    RC_ASSERT((config.max_waiting_requests == 0 || requests <= config.max_waiting_requests));
    RC_ASSERT((config.max_waiting_prompt_tokens == 0 || tokens <= config.max_waiting_prompt_tokens));
  };
  world.after_plan = [&](World& w) {
    check_queue(w);
    rows = w.plan->rows.size();
  };
  world.after_commit = [&](World& w) {
    check_queue(w);
    RC_ASSERT(w.events.tokens.size() <= rows * (1 + w.scheduler.config().max_drafts));
  };
  run_to_the_end(world);
  // Who was refused for a full queue met a full one: refusals happen only with limits set.
  for (const auto& [id, outcome] : world.outcomes) {
    if (outcome.refusal == Refusal::queue_full) RC_ASSERT(world.trace.config.max_waiting_requests > 0U);
    if (outcome.refusal == Refusal::queue_tokens) RC_ASSERT(world.trace.config.max_waiting_prompt_tokens > 0U);
  }
}

}  // namespace
}  // namespace refserver
