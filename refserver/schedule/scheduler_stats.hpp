// What the scheduler counts, and what one step looked like: plain numbers for metrics and tests.
#pragma once

#include <cstdint>

#include "refserver/api/token_event.hpp"

namespace refserver {

/// Since the scheduler was made. Requests: received = refused + finished + cancelled + timed_out + failed + in flight.
struct SchedulerCounters {
  std::uint64_t received = 0;
  std::uint64_t refused = 0;
  std::uint64_t finished_length = 0;
  std::uint64_t finished_eos = 0;
  std::uint64_t finished_stop = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t timed_out = 0;  ///< queue time or deadline
  std::uint64_t failed = 0;

  std::uint64_t steps = 0;
  std::uint64_t prompt_tokens = 0;      ///< of requests let in, counted once each
  std::uint64_t generated_tokens = 0;   ///< given to clients
  std::uint64_t computed_tokens = 0;    ///< of all rows: prompts, output, recomputed, drafts
  std::uint64_t recomputed_tokens = 0;  ///< of those, computed or cached before a preemption already
  std::uint64_t cached_tokens = 0;      ///< never computed for their request, because the prefix cache had them
  std::uint64_t queried_tokens = 0;     ///< known tokens of admissions that looked into the prefix cache
  std::uint64_t discarded_tokens =
      0;  ///< computed, drafts aside, in a step in which the request was cancelled or failed
  std::uint64_t drafted_tokens = 0;
  std::uint64_t accepted_drafts = 0;  ///< that became output
  std::uint64_t preemptions = 0;
  std::uint64_t bypasses = 0;

  std::uint64_t finished() const { return finished_length + finished_eos + finished_stop; }
};

/// The latest step, as committed.
struct StepStats {
  std::uint64_t step = 0;
  TimePoint start;
  TimePoint end;
  std::uint32_t rows = 0;
  std::uint32_t tokens = 0;
  std::uint32_t decode_rows = 0;
  std::uint32_t prefill_tokens = 0;
  std::uint32_t admitted = 0;  ///< since the step before
  std::size_t joined = 0;      ///< requests that were running when those were let in
  std::uint32_t preempted = 0;
  std::uint32_t produced = 0;  ///< tokens given to clients
};

}  // namespace refserver
