// What the engine thread last said of itself, one entry per model: for /metrics and /debug/state. Plain values.
#pragma once

#include <chrono>
#include <cstdint>

namespace refserver {

/// Blocks are used (held by a request), cached (free, their content still to be found) or empty.
struct KvState {
  std::uint32_t blocks = 0;      ///< that can be used
  std::uint32_t block_size = 0;  ///< tokens per block
  std::uint32_t used = 0;
  std::uint32_t cached = 0;
  std::uint64_t written_slots = 0;  ///< of the used blocks
};

/// Counters only grow; see SchedulerCounters for what each counts.
struct ModelState {
  std::uint64_t running = 0;  ///< requests that hold blocks
  std::uint64_t waiting = 0;
  KvState kv;
  std::uint64_t steps = 0;
  std::uint64_t step_tokens = 0;  ///< of all steps: prompts, output, recomputed, drafts
  std::uint64_t generated_tokens = 0;
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t queried_tokens = 0;
  std::uint64_t recomputed_tokens = 0;
  std::uint64_t drafted_tokens = 0;
  std::uint64_t accepted_drafts = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t evictions = 0;
  std::uint64_t refused = 0;
  std::uint64_t cancelled = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t failed = 0;
  std::uint64_t switches = 0;        ///< steps before which another model had the device
  std::chrono::nanoseconds busy{0};  ///< time had of the device
};

}  // namespace refserver
