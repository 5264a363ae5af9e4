// The plan: running requests first, one token for each before any prompt gets more, then new ones while they fit.
#include <algorithm>
#include <cassert>
#include <utility>

#include "refserver/schedule/scheduler.hpp"

namespace refserver {

const StepPlan& Scheduler::plan(TimePoint now, StepEvents& out, std::uint32_t most_tokens) {
  assert(!is_under_way_ && most_tokens > 0);
  expire(now, out);
  sweep();
  running_.wake(now);
  // Those let in while there was nothing to compute yet count with the step that computes.
  const StepStats before = plan_.rows.empty() ? step_ : StepStats{};
  plan_.rows.clear();
  planned_.clear();
  left_ = std::min(config_.max_batch_prefill_tokens, most_tokens);
  step_ = {};
  step_.start = now;
  step_.admitted = before.admitted;
  step_.joined = before.admitted > 0 ? before.joined : running_.size();
  config_.prefill == PrefillKind::separate ? plan_separate(now) : plan_mixed(now);
  sweep();
  finish_plan();
  out.released.insert(out.released.end(), released_.begin(), released_.end());
  released_.clear();
  is_under_way_ = !plan_.rows.empty();
  // Only an event that sets it again can now change who may be let in.
  if (!is_under_way_ && step_.preempted == 0) may_admit_ = false;
  return plan_;
}

void Scheduler::plan_mixed(TimePoint now) {
  const bool is_idle = running_.size() == 0;
  plan_decode_rows();
  plan_prefill_rows();
  // Whoever was preempted has the next claim on what becomes free.
  if (step_.preempted > 0) return;
  if (config_.batch == BatchKind::continuous || is_idle) admit_waiting(now);
}

void Scheduler::plan_separate(TimePoint now) {
  // Begun prompts come first: those of requests too long, after a preemption, for one step.
  plan_prefill_rows();
  if (plan_.rows.empty() && step_.preempted == 0 && may_prefill_separately()) admit_waiting(now);
  if (!plan_.rows.empty()) {
    decode_steps_ = 0;
    return;
  }
  if (running_.has_ready()) ++decode_steps_;
  plan_decode_rows();
}

bool Scheduler::may_prefill_separately() const {
  if (running_.size() == 0) return true;
  if (config_.batch != BatchKind::continuous) return false;
  const double enough = config_.waiting_served_ratio * static_cast<double>(running_.size());
  return static_cast<double>(queue_.size()) >= enough || decode_steps_ >= config_.max_waiting_tokens;
}

// ---- running requests -----------------------------------------------------------------------------------------------

void Scheduler::plan_decode_rows() {
  auto others = static_cast<std::uint32_t>(running_.decoding().size());
  for (Sequence* const sequence : running_.decoding()) {
    --others;
    if (left_ == 0) return;
    if (sequence->list != ReadyList::decoding) continue;
    // Drafts get what is left after one token for everyone, and never more than the answer can still take.
    const std::uint32_t spare = left_ - 1 > others ? left_ - 1 - others : 0;
    const auto drafts = static_cast<std::uint32_t>(sequence->drafts.size());
    plan_row(*sequence, 1 + std::min({drafts, spare, sequence->still_allowed() - 1}));
  }
}

void Scheduler::plan_prefill_rows() {
  for (Sequence* const sequence : running_.prefilling()) {
    if (left_ == 0) return;
    if (sequence->list == ReadyList::prefilling) plan_row(*sequence, chunk(*sequence, sequence->computed));
  }
}

/// The next tokens to compute of a sequence that has `computed`.
std::uint32_t Scheduler::chunk(const Sequence& sequence, std::uint32_t computed) const {
  const std::uint32_t rest = sequence.known() - computed;
  std::uint32_t count = std::min(rest, left_);
  if (config_.max_chunk_tokens > 0) count = std::min(count, config_.max_chunk_tokens);
  if (config_.chunk_cut == ChunkCut::last_block) {
    const std::uint32_t last = (sequence.known() - 1) / pool_.block_size() * pool_.block_size();
    if (computed < last && computed + count > last) count = last - computed;
  }
  return count;
}

void Scheduler::plan_row(Sequence& sequence, std::uint32_t count) {
  while (!grow(sequence, count)) {
    if (sequence.is_decoding && count > 1) {
      count = 1;  // drafts never cost anyone blocks
      continue;
    }
    Sequence& victim = running_.victim_for(sequence, config_.protect_after);
    // Alone it has the whole pool, and an answer that outgrows the pool has been ended before.
    assert(&victim != &sequence || running_.size() > 1);
    preempt(victim);
    if (&victim == &sequence) return;
  }
  add_row(sequence, count);
}

bool Scheduler::grow(Sequence& sequence, std::uint32_t count) {
  const std::uint32_t needed = pool_.blocks_for(std::uint64_t{sequence.computed} + count);
  const auto held = static_cast<std::uint32_t>(sequence.table.size());
  if (needed <= held) return true;
  if (!pool_.try_allocate(needed - held, sequence.table)) return false;
  const std::uint32_t kept = std::min(needed - held, sequence.promised_blocks);
  sequence.promised_blocks -= kept;
  promised_blocks_ -= kept;
  return true;
}

void Scheduler::preempt(Sequence& sequence) {
  if (sequence.row != Sequence::kNoRow) {
    left_ += plan_.rows[sequence.row].count;
    planned_[sequence.row] = nullptr;
    sequence.row = Sequence::kNoRow;
  }
  release_blocks(sequence);
  sequence.computed = 0;
  sequence.published = 0;
  sequence.drafts.clear();
  ++sequence.preemptions;
  ++counters_.preemptions;
  ++step_.preempted;
  queue_.put_back(sequence);
}

void Scheduler::add_row(Sequence& sequence, std::uint32_t count) {
  Row row;
  row.sequence = sequence.spec.id;
  row.position = sequence.computed;
  row.count = count;
  row.wants_token = count >= sequence.to_compute();
  row.produced = sequence.produced();
  row.spec = &sequence.spec;
  if (row.wants_token) row.drafts = std::span(sequence.drafts).first(count - sequence.to_compute());
  sequence.row = plan_.rows.size();
  plan_.rows.push_back(row);
  planned_.push_back(&sequence);
  left_ -= count;
}

void Scheduler::finish_plan() {
  plan_.tokens = plan_.prefill_tokens = plan_.decode_rows = 0;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < planned_.size(); ++i) {
    if (planned_[i] == nullptr) continue;
    Sequence& sequence = *planned_[i];
    Row& row = plan_.rows[kept] = plan_.rows[i];
    planned_[kept] = &sequence;
    sequence.row = kept++;
    row.blocks = sequence.table;
    row.tokens = sequence.tokens;
    plan_.tokens += row.count;
    sequence.is_decoding ? ++plan_.decode_rows : plan_.prefill_tokens += row.count;
  }
  plan_.rows.resize(kept);
  planned_.resize(kept);
  if (kept > 0) plan_.step = counters_.steps + 1;
  step_.step = plan_.step;
  step_.rows = static_cast<std::uint32_t>(kept);
  step_.tokens = plan_.tokens;
  step_.decode_rows = plan_.decode_rows;
  step_.prefill_tokens = plan_.prefill_tokens;
}

// ---- new requests ---------------------------------------------------------------------------------------------------

void Scheduler::admit_waiting(TimePoint now) {
  PrefixHit hit;
  // A static batch is formed at once, however many steps its prompts will take.
  while ((left_ > 0 || config_.batch == BatchKind::fixed) && running_.size() < config_.max_batch_size) {
    Sequence* const next = choose(now, hit);
    if (next == nullptr) {
      may_admit_ = false;
      return;
    }
    admit(*next, hit, now);
  }
}

/// The head of the queue if it fits, else perhaps one behind it: once per head, and not when it has waited long.
Sequence* Scheduler::choose(TimePoint now, PrefixHit& hit) {
  queue_.first(1 + std::size_t{config_.bypass_window}, candidates_);
  if (candidates_.empty()) return nullptr;
  Sequence& head = *candidates_.front();
  if (fits(head, hit)) return &head;
  if (head.was_bypassed || now - head.queued >= config_.bypass_limit) return nullptr;
  for (Sequence* const other : std::span(candidates_).subspan(1)) {
    if (!fits(*other, hit)) continue;
    head.was_bypassed = true;
    ++counters_.bypasses;
    return other;
  }
  return nullptr;
}

bool Scheduler::fits(Sequence& sequence, PrefixHit& hit) {
  hit = {};
  const bool reads_cache = config_.has_prefix_cache && sequence.spec.reads_prefix_cache;
  // At least one token is computed: its logits are needed.
  if (reads_cache) hit = pool_.find_prefix(sequence.tokens, sequence.known() - 1, sequence.chain);
  const std::uint32_t first = chunk(sequence, hit.tokens);
  if (config_.prefill == PrefillKind::separate && hit.tokens + first < sequence.known() && !plan_.rows.empty()) {
    return false;  // does not fit the rest of the step
  }
  AdmissionFacts facts;
  facts.capacity = pool_.capacity();
  facts.block_size = pool_.block_size();
  facts.free = pool_.free_blocks();
  facts.promised = static_cast<std::uint32_t>(promised_blocks_);
  facts.running = running_.size();
  facts.running_tokens = running_tokens_;
  facts.hit = static_cast<std::uint32_t>(hit.blocks.size());
  facts.hit_free = hit.unreferenced;
  facts.first_chunk = pool_.blocks_for(std::uint64_t{hit.tokens} + first);
  facts.known = pool_.blocks_for(sequence.known());
  facts.everything =
      pool_.blocks_for(std::uint64_t{sequence.prompt_tokens} + sequence.spec.max_new_tokens - 1 + config_.max_drafts);
  facts.request_tokens = sequence.still_allowed();
  return is_admissible(config_, facts, overcommit_);
}

void Scheduler::admit(Sequence& sequence, const PrefixHit& hit, TimePoint now) {
  queue_.take(sequence);
  pool_.take(hit, sequence.table);
  sequence.computed = hit.tokens;
  sequence.published = static_cast<std::uint32_t>(hit.blocks.size());
  running_tokens_ += sequence.still_allowed();
  count_admission(sequence, hit, now);
  running_.insert(sequence, now);
  if (config_.admission == AdmissionKind::reserve) {
    const std::uint64_t longest = std::uint64_t{sequence.prompt_tokens} + sequence.spec.max_new_tokens - 1;
    const std::uint32_t all = std::min(pool_.blocks_for(longest + config_.max_drafts), pool_.capacity());
    const bool taken = pool_.try_allocate(all - static_cast<std::uint32_t>(hit.blocks.size()), sequence.table);
    assert(taken);
  } else {
    const auto held = static_cast<std::uint32_t>(hit.blocks.size());
    sequence.promised_blocks = pool_.blocks_for(sequence.known()) - held;
    promised_blocks_ += sequence.promised_blocks;
  }
  const std::uint32_t count = chunk(sequence, sequence.computed);
  const bool has_grown = grow(sequence, count);
  assert(has_grown);
  if (sequence.list != ReadyList::none && count > 0) add_row(sequence, count);
}

void Scheduler::count_admission(Sequence& sequence, const PrefixHit& hit, TimePoint now) {
  ++step_.admitted;
  if (config_.has_prefix_cache && sequence.spec.reads_prefix_cache) counters_.queried_tokens += sequence.known();
  if (hit.tokens > sequence.furthest) {
    // Counted once per position: what was computed here before a preemption was not saved by the cache.
    sequence.cached_tokens += hit.tokens - sequence.furthest;
    counters_.cached_tokens += hit.tokens - sequence.furthest;
    sequence.furthest = hit.tokens;
  }
  if (sequence.scheduled) return;
  sequence.scheduled = now;
  counters_.prompt_tokens += sequence.prompt_tokens;
  queue_.charge(sequence, std::uint64_t{config_.input_weight} * sequence.prompt_tokens);
}

}  // namespace refserver
