// Requests on their way in and out; planning and committing have files of their own.
#include "refserver/schedule/scheduler.hpp"

#include <algorithm>
#include <cassert>
#include <stdexcept>
#include <utility>

namespace refserver {
namespace {

SchedulerConfig checked(const SchedulerConfig& config) {
  if (const auto problem = find_problem(config)) throw std::invalid_argument(*problem);
  SchedulerConfig settled = config;
  if (settled.batch == BatchKind::serial) settled.max_batch_size = 1;
  return settled;
}

}  // namespace

Scheduler::Scheduler(const SchedulerConfig& config, const Vocabulary& vocabulary)
    : config_(checked(config)),
      vocabulary_(vocabulary),
      pool_(config_.pool),
      queue_(config_),
      overcommit_(config_.overcommit) {}

std::uint32_t Scheduler::max_input_tokens() const {
  if (config_.max_input_tokens > 0) return config_.max_input_tokens;
  if (config_.max_total_tokens > 0) return config_.max_total_tokens - 1;
  return pool_.capacity() * pool_.block_size();
}

std::optional<Refusal> Scheduler::check(const RequestSpec& spec, TimePoint now) const {
  if (spec.prompt.empty() || spec.max_new_tokens == 0) return Refusal::empty;
  if (sequences_.contains(spec.id)) return Refusal::duplicate;
  if (spec.prompt.size() > max_input_tokens()) return Refusal::prompt_too_long;
  if (config_.max_total_tokens > 0 && spec.prompt.size() + spec.max_new_tokens > config_.max_total_tokens) {
    return Refusal::total_too_long;
  }
  if (config_.max_waiting_requests > 0 && queue_.size() >= config_.max_waiting_requests) return Refusal::queue_full;
  if (config_.max_waiting_prompt_tokens > 0 &&
      queue_.prompt_tokens() + spec.prompt.size() > config_.max_waiting_prompt_tokens) {
    return Refusal::queue_tokens;
  }
  if (spec.deadline && *spec.deadline <= now) return Refusal::deadline_passed;
  return std::nullopt;
}

std::unique_ptr<Sequence> Scheduler::make_sequence(RequestSpec spec, TimePoint now) {
  auto sequence = std::make_unique<Sequence>();
  sequence->tokens = std::exchange(spec.prompt, {});
  sequence->prompt_tokens = sequence->known();
  sequence->chain.salt = spec.cache_salt;
  sequence->order = ++arrivals_;
  sequence->queued = now;
  sequence->not_before = spec.not_before;
  sequence->stop = {{spec.max_new_tokens, spec.min_new_tokens, spec.ignores_eos}, std::move(spec.stop)};
  sequence->text = vocabulary_.start_text();
  sequence->spec = std::move(spec);
  return sequence;
}

std::optional<Refusal> Scheduler::add(RequestSpec spec, TimePoint now) {
  ++counters_.received;
  if (const auto refusal = check(spec, now)) {
    ++counters_.refused;
    return refusal;
  }
  const RequestId id = spec.id;
  if (spec.deadline) deadlines_.push({*spec.deadline, id, DeadlineKind::total});
  if (config_.queue_timeout.count() > 0) {
    deadlines_.push({now + config_.queue_timeout, id, DeadlineKind::queue_timeout});
  }
  Sequence& sequence = *sequences_.emplace(id, make_sequence(std::move(spec), now)).first->second;
  std::uint32_t uncached = sequence.known();
  if (config_.policy == PolicyKind::shortest_first && config_.has_prefix_cache && sequence.spec.reads_prefix_cache) {
    uncached -= pool_.find_prefix(sequence.tokens, sequence.known() - 1, sequence.chain).tokens;
  }
  queue_.enter(sequence, uncached);
  may_admit_ = true;
  return std::nullopt;
}

bool Scheduler::cancel(RequestId id) {
  const auto found = sequences_.find(id);
  if (found == sequences_.end() || found->second->is_cancelled) return false;
  ++counters_.cancelled;
  Sequence& sequence = *found->second;
  if (is_under_way_ && sequence.row != Sequence::kNoRow) {
    sequence.is_cancelled = true;
    return true;
  }
  end(sequence);
  sweep();
  return true;
}

void Scheduler::expire(TimePoint now, StepEvents& out) {
  if (sequences_.empty()) deadlines_ = {};
  while (const auto deadline = deadlines_.pop(now)) {
    const auto found = sequences_.find(deadline->request);
    if (found == sequences_.end()) continue;
    Sequence& sequence = *found->second;
    if (deadline->kind == DeadlineKind::total) {
      if (sequence.spec.deadline != deadline->at) continue;  // of an earlier request with the same id
      ++counters_.timed_out;
      drop(sequence, DropReason::deadline, out);
    } else if (!sequence.scheduled && sequence.queued + config_.queue_timeout <= now) {
      ++counters_.timed_out;
      drop(sequence, DropReason::queue_timeout, out);
    }
  }
}

void Scheduler::drop(Sequence& sequence, DropReason reason, StepEvents& out) {
  out.dropped.push_back({sequence.spec.id, reason});
  end(sequence);
}

void Scheduler::release_blocks(Sequence& sequence) {
  pool_.release(sequence.table);
  promised_blocks_ -= std::exchange(sequence.promised_blocks, 0);
  running_tokens_ -= sequence.still_allowed();
  running_.erase(sequence);
  may_admit_ = true;
}

void Scheduler::end(Sequence& sequence) {
  if (sequence.place == Place::running) release_blocks(sequence);
  queue_.leave(sequence);
  may_admit_ = true;
  released_.push_back(sequence.spec.id);
  const auto found = sequences_.find(sequence.spec.id);
  ended_.push_back(std::move(found->second));
  sequences_.erase(found);
}

void Scheduler::sweep() {
  running_.sweep();
  ended_.clear();
}

void Scheduler::fail_running(StepEvents& out) {
  is_under_way_ = false;
  for (Sequence* const sequence : running_.members()) {
    if (sequence->is_cancelled) {
      end(*sequence);
    } else {
      ++counters_.failed;
      drop(*sequence, DropReason::failed, out);
    }
  }
  sweep();
  pool_.reset();
  out.released.insert(out.released.end(), released_.begin(), released_.end());
  released_.clear();
}

bool Scheduler::reset_prefix_cache() {
  if (pool_.used_blocks() > 0) return false;
  pool_.reset();
  return true;
}

std::optional<TimePoint> Scheduler::next_wakeup() const {
  if (running_.has_ready() || (may_admit_ && queue_.size() > 0) || !released_.empty()) return TimePoint::min();
  std::optional<TimePoint> next = running_.next_due();
  if (const auto deadline = deadlines_.next(); deadline && !sequences_.empty() && (!next || *deadline < *next)) {
    next = deadline;
  }
  return next;
}

const Sequence* Scheduler::find(RequestId id) const {
  const auto found = sequences_.find(id);
  return found == sequences_.end() ? nullptr : found->second.get();
}

}  // namespace refserver
