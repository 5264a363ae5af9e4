// What holds of every step of random traces: budgets, progress, order, and that plans depend on the trace alone.
#include <fmt/format.h>

#include <map>
#include <set>

#include "refserver/schedule/tests/trace_gen.hpp"

namespace refserver {
namespace {

RC_GTEST_PROP(Invariants, Invariant09_steps_stay_within_their_budgets, ()) {
  World world(arbitrary_trace({.has_due_times = true}));
  world.after_plan = [](World& w) {
    const SchedulerConfig& config = w.scheduler.config();
    std::uint32_t tokens = 0;
    std::set<RequestId> sequences;
    for (const Row& row : w.plan->rows) {
      RC_ASSERT(row.count > 0U);
      RC_ASSERT(row.drafts.size() <= config.max_drafts);
      RC_ASSERT(sequences.insert(row.sequence).second);
      tokens += row.count;
    }
    RC_ASSERT(tokens == w.plan->tokens);
    RC_ASSERT(tokens <= config.max_batch_prefill_tokens);
    RC_ASSERT(w.plan->rows.size() <= config.max_batch_size);
    RC_ASSERT(w.scheduler.running() <= config.max_batch_size);
    RC_ASSERT(w.plan->tokens == w.plan->prefill_tokens + w.plan->decode_rows + [&w] {
      std::size_t drafts = 0;
      for (const Row& row : w.plan->rows) drafts += row.drafts.size();
      return drafts;
    }());
  };
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant10_every_decode_row_advances_where_the_budget_suffices, ()) {
  World world(arbitrary_trace({.prefill = PrefillKind::chunked, .has_due_times = true}));
  std::map<RequestId, std::uint32_t> produced;
  std::map<RequestId, std::uint32_t> was_running;  // with how many preemptions
  world.after_plan = [&](World& w) {
    produced.clear();
    if (w.scheduler.decoding() > w.scheduler.config().max_batch_prefill_tokens) return;
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      // Let in by this plan, with all but one token of its prompt cached: it had no claim before the others' prompts.
      const auto before = was_running.find(sequence->spec.id);
      if (before == was_running.end() || before->second != sequence->preemptions) continue;
      if (sequence->to_compute() != 1 || (sequence->not_before && *sequence->not_before > w.now)) continue;
      RC_ASSERT(sequence->row != Sequence::kNoRow);
      produced[sequence->spec.id] = sequence->produced();
    }
  };
  world.after_commit = [&](World& w) {
    was_running.clear();
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      was_running[sequence->spec.id] = sequence->preemptions;
    }
    for (const auto& [id, before] : produced) {
      RC_ASSERT((w.outcomes[id].is_over() || w.scheduler.find(id)->produced() > before));
    }
  };
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant11_computed_tokens_grow_without_gaps_up_to_what_is_known, ()) {
  World world(arbitrary_trace());
  struct Seen {
    std::uint32_t preemptions = 0;
    std::uint32_t computed = 0;
  };
  std::map<RequestId, Seen> seen;
  const auto check = [&seen](World& w) {
    for (const Sequence* const sequence : w.scheduler.running_members()) {
      RC_ASSERT(sequence->computed <= sequence->known());
      Seen& of = seen[sequence->spec.id];
      if (of.preemptions == sequence->preemptions) RC_ASSERT(sequence->computed >= of.computed);
      of = {sequence->preemptions, sequence->computed};
    }
  };
  std::map<RequestId, Row> rows;
  world.after_plan = [&](World& w) {
    check(w);
    rows.clear();
    for (const Row& row : w.plan->rows) {
      RC_ASSERT(row.position == w.scheduler.find(row.sequence)->computed);
      rows[row.sequence] = row;
    }
  };
  world.after_commit = [&](World& w) {
    check(w);
    for (const auto& [id, row] : rows) {
      const Sequence* const sequence = w.scheduler.find(id);
      if (sequence == nullptr) continue;
      const auto drafts = static_cast<std::uint32_t>(row.drafts.size());
      RC_ASSERT(sequence->computed >= row.position + row.count - drafts);
      RC_ASSERT(sequence->computed <= row.position + row.count);
    }
  };
  run_to_the_end(world);
}

RC_GTEST_PROP(Invariants, Invariant12_rows_that_reach_the_end_produce_tokens_in_order_exactly_once, ()) {
  World world(arbitrary_trace({.has_failures = true}));
  std::map<RequestId, std::pair<bool, std::uint32_t>> rows;
  world.after_plan = [&rows](World& w) {
    rows.clear();
    RC_ASSERT(w.events.tokens.empty());
    for (const Row& row : w.plan->rows) {
      RC_ASSERT(row.wants_token == (row.position + row.count >= row.tokens.size()));
      RC_ASSERT(row.produced == w.outcomes[row.sequence].tokens.size());
      rows[row.sequence] = {row.wants_token, static_cast<std::uint32_t>(row.drafts.size())};
    }
  };
  // The world itself checks that indices count up from 1 and that nothing follows an end.
  world.after_commit = [&rows](World& w) {
    std::map<RequestId, std::uint32_t> produced;
    for (const TokenEvent& event : w.events.tokens) ++produced[event.request];
    for (const auto& [id, count] : produced) RC_ASSERT(rows.contains(id));
    for (const auto& [id, row] : rows) {
      const Outcome& outcome = w.outcomes[id];
      if (outcome.cancelled || outcome.dropped) {
        RC_ASSERT(produced[id] == 0U);
      } else {
        RC_ASSERT((produced[id] > 0) == row.first);
        RC_ASSERT(produced[id] <= 1 + row.second);
      }
    }
  };
  run_to_the_end(world);
}

/// Everything a plan says.
std::string describe(const StepPlan& plan) {
  std::string text = fmt::format("step {}:", plan.step);
  for (const Row& row : plan.rows) {
    text += fmt::format(" [{} {}+{} {} {}", row.sequence, row.position, row.count, row.wants_token, row.drafts.size());
    for (const BlockId id : row.blocks) text += fmt::format(" {}", id);
    text += "]";
  }
  return text;
}

RC_GTEST_PROP(Invariants, Invariant13_plans_are_a_function_of_the_trace, ()) {
  const Trace trace = arbitrary_trace({.has_deadlines = true, .has_due_times = true});
  std::vector<std::string> plans[2];
  for (auto& of_run : plans) {
    World world(trace);
    world.after_plan = [&of_run](World& w) { of_run.push_back(describe(*w.plan)); };
    run_to_the_end(world);
  }
  RC_ASSERT(plans[0] == plans[1]);
}

}  // namespace
}  // namespace refserver
