// The commit: what a step computed becomes valid, its tokens become events, and whoever is done gives everything back.
#include <algorithm>
#include <cassert>
#include <utility>

#include "refserver/schedule/scheduler.hpp"

namespace refserver {

void Scheduler::commit(const StepResult& result, TimePoint now, StepEvents& out) {
  assert(is_under_way_ && result.rows.size() == plan_.rows.size());
  is_under_way_ = false;
  ++counters_.steps;
  if (config_.admission == AdmissionKind::adaptive) {
    overcommit_ = step_.preempted > 0 ? std::min(1.0, std::max(config_.overcommit, overcommit_ + 0.1))
                                      : std::max(config_.overcommit_least, overcommit_ - config_.overcommit_decay);
  }
  for (std::size_t i = 0; i < plan_.rows.size(); ++i) {
    planned_[i]->row = Sequence::kNoRow;
    commit_row(plan_.rows[i], *planned_[i], result.rows[i], now, out);
  }
  sweep();
  may_admit_ = true;
  step_.end = now;
  last_step_ = step_;
  out.released.insert(out.released.end(), released_.begin(), released_.end());
  released_.clear();
}

void Scheduler::commit_row(const Row& row, Sequence& sequence, const RowResult& result, TimePoint now,
                           StepEvents& out) {
  counters_.computed_tokens += row.count;
  counters_.drafted_tokens += row.drafts.size();
  if (sequence.is_cancelled || result.has_failed) counters_.discarded_tokens += row.count - row.drafts.size();
  if (sequence.is_cancelled) return end(sequence);
  if (result.has_failed) {
    ++counters_.failed;
    return drop(sequence, DropReason::failed, out);
  }
  assert(result.accepted.size() <= row.drafts.size());
  const auto accepted = static_cast<std::uint32_t>(result.accepted.size());
  const std::uint32_t from = sequence.computed;
  sequence.computed += row.count - static_cast<std::uint32_t>(row.drafts.size()) + accepted;
  sequence.drafts.clear();
  std::optional<FinishReason> finish;
  if (row.wants_token) {
    finish = append_tokens(result, sequence, sequence.not_before.value_or(now), out);
    sequence.not_before = result.not_before;
    if (!finish) sequence.drafts.assign(result.drafts.begin(), result.drafts.end());
  }
  mark_computed(sequence, from);
  if (finish) {
    count_finish(*finish);
    return end(sequence);
  }
  if (sequence.drafts.size() > config_.max_drafts) sequence.drafts.resize(config_.max_drafts);
  running_.update(sequence, now);
}

std::optional<FinishReason> Scheduler::append_tokens(const RowResult& result, Sequence& sequence, TimePoint due,
                                                     StepEvents& out) {
  for (const SampledToken& token : result.accepted) {
    ++counters_.accepted_drafts;
    if (const auto finish = append_token(token, sequence, due, out)) return finish;
  }
  return append_token(result.token, sequence, due, out);
}

std::optional<FinishReason> Scheduler::append_token(const SampledToken& token, Sequence& sequence, TimePoint due,
                                                    StepEvents& out) {
  sequence.tokens.push_back(token.id);
  --running_tokens_;
  ++counters_.generated_tokens;
  ++step_.produced;
  queue_.charge(sequence, config_.output_weight);
  TokenEvent& event = out.tokens.emplace_back(make_event(token, sequence, due));
  event.finish = sequence.stop.after({event.index, vocabulary_.is_eos(token.id), event.token.text});
  // All tokens so far are good, but no pool could hold what the next one needs.
  if (!event.finish && pool_.blocks_for(sequence.known()) > pool_.capacity()) event.finish = FinishReason::length;
  if (event.finish) event.token.text += sequence.text->finish();
  return event.finish;
}

TokenEvent Scheduler::make_event(const SampledToken& token, const Sequence& sequence, TimePoint due) const {
  TokenEvent event;
  event.request = sequence.spec.id;
  event.index = sequence.produced();
  event.token.id = token.id;
  event.token.text = sequence.text->push(token.id);
  event.token.logprob = token.logprob;
  event.token.is_special = vocabulary_.is_special(token.id);
  for (const auto& [id, logprob] : token.top) {
    event.top_tokens.push_back({id, vocabulary_.text(id), logprob, vocabulary_.is_special(id)});
  }
  event.due = due;
  event.scheduled = *sequence.scheduled;
  event.step = counters_.steps;
  event.cached_tokens = sequence.cached_tokens;
  event.preemptions = sequence.preemptions;
  return event;
}

/// Everything up to `computed` has become valid: it counts as written, and full blocks may be shared.
void Scheduler::mark_computed(Sequence& sequence, std::uint32_t from) {
  sequence.computed = std::min(sequence.computed, sequence.known());  // drafts behind a stop are not part of the text
  const std::uint32_t block_size = pool_.block_size();
  for (std::uint32_t i = from / block_size; i * block_size < sequence.computed; ++i) {
    pool_.set_written(sequence.table[i], std::min(block_size, sequence.computed - i * block_size));
  }
  counters_.recomputed_tokens += std::min(sequence.computed, std::max(sequence.furthest, from)) - from;
  sequence.furthest = std::max(sequence.furthest, sequence.computed);
  if (!config_.has_prefix_cache) return;
  sequence.published =
      pool_.publish(sequence.table, sequence.tokens, sequence.published, sequence.computed, sequence.chain);
}

void Scheduler::count_finish(FinishReason reason) {
  switch (reason) {
    case FinishReason::length:
      ++counters_.finished_length;
      return;
    case FinishReason::eos_token:
      ++counters_.finished_eos;
      return;
    case FinishReason::stop_sequence:
      ++counters_.finished_stop;
      return;
  }
}

}  // namespace refserver
