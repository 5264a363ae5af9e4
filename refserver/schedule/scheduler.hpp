// Continuous batching over paged KV for one model: which requests compute which tokens in the next step. A pure state
// machine: requests, cancellations, results and the time go in, plans and events come out; no clock, no thread, no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "refserver/schedule/admission_rules.hpp"
#include "refserver/schedule/block_pool.hpp"
#include "refserver/schedule/deadline_heap.hpp"
#include "refserver/schedule/running_set.hpp"
#include "refserver/schedule/scheduler_config.hpp"
#include "refserver/schedule/scheduler_stats.hpp"
#include "refserver/schedule/sequence.hpp"
#include "refserver/schedule/step.hpp"
#include "refserver/schedule/waiting_queue.hpp"

namespace refserver {

/// Why a request was not taken.
enum class Refusal : std::uint8_t {
  empty,            ///< no prompt, or nothing to generate
  duplicate,        ///< the id is in use
  prompt_too_long,  ///< over max_input_tokens, or over what the pool could ever hold
  total_too_long,   ///< prompt and answer over max_total_tokens
  queue_full,       ///< over max_waiting_requests
  queue_tokens,     ///< over max_waiting_prompt_tokens
  deadline_passed,
};

class Scheduler {
 public:
  /// Throws std::invalid_argument with the numbers if `find_problem` finds one. The vocabulary must outlive this.
  Scheduler(const SchedulerConfig& config, const Vocabulary& vocabulary);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Queues a request, or says why not. `now` never goes back from call to call.
  std::optional<Refusal> add(RequestSpec spec, TimePoint now);
  /// Ends a request: no event of it comes any more. A step under way with a row of it is not disturbed; its blocks
  /// come back when that step is committed, at once otherwise. False if there is no such request.
  bool cancel(RequestId id);

  /// Decides the next step. Requests whose time is over are dropped first. An empty plan must not be committed; any
  /// other must be, before the next one. At most `most_tokens` are planned even where the config allows more.
  const StepPlan& plan(TimePoint now, StepEvents& out,
                       std::uint32_t most_tokens = std::numeric_limits<std::uint32_t>::max());
  /// Takes in what came out of the plan, one row result per row.
  void commit(const StepResult& result, TimePoint now, StepEvents& out);
  /// The engine lost its state: every request that holds blocks fails, and nothing cached is trusted any more. Ends a
  /// step under way.
  void fail_running(StepEvents& out);

  /// Forgets every cached prefix. False, with nothing done, while a request holds blocks.
  bool reset_prefix_cache();

  /// When to plan next if nothing is added before: a past time means at once, nothing means not before then. May be
  /// early, never late.
  std::optional<TimePoint> next_wakeup() const;

  const SchedulerConfig& config() const { return config_; }
  const BlockPool& pool() const { return pool_; }
  const SchedulerCounters& counters() const { return counters_; }
  const StepStats& last_step() const { return last_step_; }
  std::size_t running() const { return running_.size(); }
  std::size_t waiting() const { return queue_.size(); }
  std::size_t in_flight() const { return sequences_.size(); }
  /// Running requests past their prompt: those whose clients notice a long step.
  std::size_t decoding() const { return running_.decoding_members(); }
  /// The share adaptive admission currently reserves of future tokens.
  double overcommit() const { return overcommit_; }
  std::vector<Sequence*> running_members() const { return running_.members(); }
  const Sequence* find(RequestId id) const;
  /// Longest prompt that is taken.
  std::uint32_t max_input_tokens() const;

 private:
  // scheduler.cpp
  std::optional<Refusal> check(const RequestSpec& spec, TimePoint now) const;
  std::unique_ptr<Sequence> make_sequence(RequestSpec spec, TimePoint now);
  void expire(TimePoint now, StepEvents& out);
  void drop(Sequence& sequence, DropReason reason, StepEvents& out);
  /// Gives back everything a sequence holds and takes it out; it is destroyed at the next sweep.
  void end(Sequence& sequence);
  void release_blocks(Sequence& sequence);
  void sweep();

  // scheduler_plan.cpp
  void plan_mixed(TimePoint now);
  void plan_separate(TimePoint now);
  void plan_decode_rows();
  void plan_prefill_rows();
  void plan_row(Sequence& sequence, std::uint32_t count);
  std::uint32_t chunk(const Sequence& sequence, std::uint32_t computed) const;
  bool grow(Sequence& sequence, std::uint32_t count);
  void preempt(Sequence& sequence);
  void add_row(Sequence& sequence, std::uint32_t count);
  void finish_plan();
  bool may_prefill_separately() const;
  void admit_waiting(TimePoint now);
  Sequence* choose(TimePoint now, PrefixHit& hit);
  bool fits(Sequence& sequence, PrefixHit& hit);
  void admit(Sequence& sequence, const PrefixHit& hit, TimePoint now);
  void count_admission(Sequence& sequence, const PrefixHit& hit, TimePoint now);

  // scheduler_commit.cpp
  void commit_row(const Row& row, Sequence& sequence, const RowResult& result, TimePoint now, StepEvents& out);
  std::optional<FinishReason> append_tokens(const RowResult& result, Sequence& sequence, TimePoint due,
                                            StepEvents& out);
  std::optional<FinishReason> append_token(const SampledToken& token, Sequence& sequence, TimePoint due,
                                           StepEvents& out);
  TokenEvent make_event(const SampledToken& token, const Sequence& sequence, TimePoint due) const;
  void mark_computed(Sequence& sequence, std::uint32_t from);
  void count_finish(FinishReason reason);

  const SchedulerConfig config_;
  const Vocabulary& vocabulary_;
  BlockPool pool_;
  WaitingQueue queue_;
  RunningSet running_;
  DeadlineHeap deadlines_;
  std::unordered_map<RequestId, std::unique_ptr<Sequence>> sequences_;
  std::vector<std::unique_ptr<Sequence>> ended_;  ///< kept until no list points to them
  std::vector<RequestId> released_;               ///< not yet reported

  StepPlan plan_;
  std::vector<Sequence*> planned_;  ///< the sequences of the plan's rows; null for rows taken back
  std::vector<Sequence*> candidates_;
  std::uint32_t left_ = 0;  ///< tokens the plan may still have
  bool is_under_way_ = false;
  bool may_admit_ = false;  ///< something has changed since nobody could be let in

  std::uint64_t arrivals_ = 0;
  std::uint64_t promised_blocks_ = 0;  ///< of running prompts, still to be taken
  std::uint64_t running_tokens_ = 0;   ///< running requests may still produce
  std::uint32_t decode_steps_ = 0;     ///< since prompts were last computed, where prefill is separate
  double overcommit_ = 0;
  SchedulerCounters counters_;
  StepStats step_;  ///< of the plan under way
  StepStats last_step_;
};

}  // namespace refserver
