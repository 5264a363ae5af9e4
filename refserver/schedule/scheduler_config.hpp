// Everything that can be set about scheduling, and what must hold between the numbers.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "refserver/schedule/block_pool.hpp"

namespace refserver {

/// How requests share steps. `fixed` is static batching: a batch is formed when nothing runs and nobody joins it;
/// `serial` runs one request at a time.
enum class BatchKind : std::uint8_t { continuous, fixed, serial };

/// `chunked`: pieces of prompts fill up the decode steps. `separate`: a step computes new prompts or decodes.
enum class PrefillKind : std::uint8_t { chunked, separate };

/// Where a prompt that is cut into chunks may be cut. `last_block`: its last whole block ends a chunk, so that the rest
/// is computed in the same shape whether or not the prefix was cached.
enum class ChunkCut : std::uint8_t { anywhere, last_block };

/// What must be free to let a request in. `reserve`: blocks for everything it may ever need, taken at once.
/// `optimistic`: its whole prompt. `adaptive`: its prompt and a share of what all may still produce, a share that falls
/// while nobody is preempted.
enum class AdmissionKind : std::uint8_t { reserve, optimistic, adaptive };

/// Who is let in next.
enum class PolicyKind : std::uint8_t { fcfs, priority, fair, shortest_first };

struct SchedulerConfig {
  BlockPoolConfig pool;
  BatchKind batch = BatchKind::continuous;
  PrefillKind prefill = PrefillKind::chunked;
  ChunkCut chunk_cut = ChunkCut::anywhere;
  AdmissionKind admission = AdmissionKind::optimistic;
  PolicyKind policy = PolicyKind::fcfs;
  bool has_prefix_cache = true;

  // Limits on one request; longer ones are refused.
  std::uint32_t max_input_tokens = 0;  ///< 0: one less than the total
  std::uint32_t max_total_tokens = 0;  ///< prompt and answer; 0: answers end where the pool does

  // Limits on what runs together.
  std::uint32_t max_batch_prefill_tokens = 4096;  ///< tokens in one step
  std::uint32_t max_batch_size = 256;             ///< requests running at once
  std::uint32_t max_chunk_tokens = 0;             ///< of one prompt in one step; 0: no limit of its own
  std::uint32_t max_drafts = 0;                   ///< speculated tokens per request and step

  // Limits on what waits; 0: none.
  std::uint32_t max_waiting_requests = 0;
  std::uint64_t max_waiting_prompt_tokens = 0;
  std::chrono::nanoseconds queue_timeout{0};

  double watermark = 0.01;          ///< share of the pool that optimistic admission leaves free while others run
  double overcommit = 0.7;          ///< adaptive: the share of future tokens to begin with, and after a preemption
  double overcommit_least = 0.1;    ///< adaptive: what it falls to
  double overcommit_decay = 0.001;  ///< adaptive: what it falls by in a step without preemption
  std::uint32_t protect_after = 3;  ///< preemptions after which a request is chosen last

  std::chrono::nanoseconds ageing{0};  ///< waiting worth one class, or 1000 prompt tokens of work; 0: no ageing
  std::uint32_t bypass_window = 0;     ///< how many behind a head that does not fit may be tried; 0: strict order
  std::chrono::nanoseconds bypass_limit{std::chrono::seconds(1)};  ///< a head that has waited longer is not bypassed
  std::uint32_t input_weight = 1;                                  ///< fair: what a prompt token costs its tenant
  std::uint32_t output_weight = 2;                                 ///< fair: what a generated token costs

  // Only where prefill is separate. TGI's names and rules.
  double waiting_served_ratio = 0.3;
  std::uint32_t max_waiting_tokens = 20;
};

/// What cannot work in `config`, with the numbers; empty if it can. Limits on one request must fit those on a batch,
/// and both must fit the pool.
std::optional<std::string> find_problem(const SchedulerConfig& config);

}  // namespace refserver
