// What a request answers does not depend on anything around it, and every computed token is accounted for. The fake
// engine reads back each slot through the block table, so that a wrong table cannot give the right answer.
#include <algorithm>
#include <map>
#include <set>

#include "refserver/schedule/tests/trace_gen.hpp"

namespace refserver {
namespace {

RC_GTEST_PROP(Invariants, Invariant23_answers_equal_those_given_alone, ()) {
  World world(arbitrary_trace({.has_deadlines = true, .has_due_times = true}));
  run_to_the_end(world);
  for (const auto& [id, outcome] : world.outcomes) {
    if (outcome.refusal) continue;
    const std::vector<TokenId> alone = answer_alone(world.trace.arrivals[id - 1], id, world.trace.config);
    if (outcome.finish) {
      RC_ASSERT(outcome.tokens == alone);
    } else {
      RC_ASSERT(outcome.tokens.size() < alone.size());
      RC_ASSERT(std::equal(outcome.tokens.begin(), outcome.tokens.end(), alone.begin()));
    }
  }
}

RC_GTEST_PROP(Invariants, Invariant24_cache_hits_change_no_answer_and_save_exactly_what_they_say, ()) {
  Trace trace = arbitrary_trace({.has_cancels = false});
  trace.config.has_prefix_cache = true;
  World with(trace);
  std::map<RequestId, std::set<std::uint32_t>> computed;
  with.after_plan = [&computed](World& w) {
    for (const Row& row : w.plan->rows) {
      const auto known = static_cast<std::uint32_t>(row.tokens.size());
      for (std::uint32_t i = row.position; i < std::min(row.position + row.count, known); ++i) {
        computed[row.sequence].insert(i);
      }
    }
  };
  run_to_the_end(with);
  std::uint64_t cached = 0;
  for (const auto& [id, outcome] : with.outcomes) {
    if (!outcome.finish) continue;
    cached += outcome.cached_tokens;
    const Arrival& arrival = trace.arrivals[id - 1];
    if (!arrival.reads_cache) RC_ASSERT(outcome.cached_tokens == 0U);
    const std::uint32_t prompt = arrival.shared_tokens + arrival.own_tokens;
    const auto of_prompt =
        static_cast<std::uint32_t>(std::ranges::distance(computed[id].begin(), computed[id].lower_bound(prompt)));
    // After a preemption a hit may also cover output that another request with the same text computed.
    if (outcome.preemptions == 0) {
      RC_ASSERT(of_prompt + outcome.cached_tokens == prompt);
    } else {
      RC_ASSERT(of_prompt + outcome.cached_tokens >= prompt);
    }
  }
  RC_ASSERT(with.scheduler.counters().cached_tokens == cached);
  trace.config.has_prefix_cache = false;
  World without(trace);
  run_to_the_end(without);
  RC_ASSERT(without.scheduler.counters().cached_tokens == 0U);
  for (const auto& [id, outcome] : with.outcomes) RC_ASSERT(outcome.tokens == without.outcomes[id].tokens);
}

RC_GTEST_PROP(Invariants, Invariant25_every_computed_token_is_accounted_for, ()) {
  World world(arbitrary_trace({.has_failures = true}));
  std::map<RequestId, Row> rows;
  std::map<RequestId, std::vector<TokenId>> drafts;
  std::map<RequestId, std::set<std::uint32_t>> valid;  ///< positions that were computed or cached at some time
  std::map<RequestId, std::uint64_t> first;
  std::uint64_t all_first = 0, again = 0, rejected = 0, discarded = 0;
  world.after_plan = [&](World& w) {
    rows.clear();
    for (const Row& row : w.plan->rows) {
      rows[row.sequence] = row;
      drafts[row.sequence].assign(row.drafts.begin(), row.drafts.end());
      for (std::uint32_t i = 0; i < row.position; ++i) valid[row.sequence].insert(i);
    }
  };
  world.after_commit = [&](World& w) {
    std::map<RequestId, std::vector<TokenId>> produced;
    for (const TokenEvent& event : w.events.tokens) produced[event.request].push_back(event.token.id);
    for (const auto& [id, row] : rows) {
      const std::vector<TokenId>& guesses = drafts[id];
      const auto guessed = static_cast<std::uint32_t>(guesses.size());
      if (w.outcomes[id].cancelled || w.outcomes[id].dropped) {
        discarded += row.count - guessed;
        rejected += guessed;
        continue;
      }
      const auto right = static_cast<std::uint32_t>(std::ranges::mismatch(guesses, produced[id]).in1 - guesses.begin());
      rejected += guessed - right;
      for (std::uint32_t i = row.position; i < row.position + row.count - guessed + right; ++i) {
        const bool is_first = valid[id].insert(i).second;
        first[id] += is_first;
        all_first += is_first;
        again += !is_first;
      }
    }
  };
  run_to_the_end(world);
  const SchedulerCounters& c = world.scheduler.counters();
  RC_ASSERT(c.computed_tokens == world.engine.computed_tokens());
  RC_ASSERT(c.recomputed_tokens == again);
  RC_ASSERT(c.drafted_tokens - c.accepted_drafts == rejected);
  RC_ASSERT(c.discarded_tokens == discarded);
  RC_ASSERT(c.computed_tokens == all_first + again + rejected + discarded);
  // What finished was computed or cached, but for its last token, which nothing followed.
  for (const auto& [id, outcome] : world.outcomes) {
    if (!outcome.finish) continue;
    const Arrival& arrival = world.trace.arrivals[id - 1];
    const std::size_t known = arrival.shared_tokens + arrival.own_tokens + outcome.tokens.size();
    const std::size_t covered = first[id] + outcome.cached_tokens;
    RC_ASSERT(covered == valid[id].size());
    RC_ASSERT((covered == known - 1 || covered == known));  // the latter where a right guess ended it
  }
}

}  // namespace
}  // namespace refserver
