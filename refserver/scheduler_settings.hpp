// From what was asked of the scheduler to a config that fits model and engine.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "refserver/api/model_info.hpp"
#include "refserver/engine/make_engine.hpp"
#include "refserver/schedule/scheduler_config.hpp"

namespace refserver {

/// What was asked of the scheduler, mostly under TGI's names; empty where it is to choose.
struct SchedulerSettings {
  std::optional<std::uint32_t> max_batch_prefill_tokens;  ///< tokens computed in one step
  std::optional<std::uint64_t> max_batch_total_tokens;    ///< KV slots of one model
  std::optional<std::uint32_t> max_batch_size;            ///< requests that run together
  double waiting_served_ratio = 0.3;                      ///< only without chunking
  std::uint32_t max_waiting_tokens = 20;                  ///< only without chunking
  bool has_prefill_chunking = true;
  bool has_prefix_caching = true;
  BatchKind batch = BatchKind::continuous;
  AdmissionKind admission = AdmissionKind::optimistic;
  PolicyKind policy = PolicyKind::fcfs;
  std::uint32_t block_size = 16;
  std::uint32_t max_waiting_requests = 0;     ///< per model; 0: no limit
  std::chrono::nanoseconds queue_timeout{0};  ///< 0: none
};

/// What an engine makes of the limits that were left open.
struct PoolLimits {
  std::uint64_t kv_tokens = 0;     ///< slots of its KV memory
  std::uint32_t batch_size = 256;  ///< requests that run together
  std::uint32_t drafts = 0;        ///< speculated tokens per request and step
  bool has_free_steps = false;     ///< steps cost no time: they may be of any size
};

/// Those of simulated engines: memory for what `max_concurrent_requests` usually hold.
PoolLimits pool_limits(const EngineSettings& engine, std::uint32_t max_concurrent_requests);

/// The scheduler of one model. Settings win over limits; what does not fit together is left to `find_problem`.
SchedulerConfig make_scheduler_config(const SchedulerSettings& settings, const ModelInfo& model,
                                      const PoolLimits& limits);

/// The memory plan and the limits, as said at start. `token_bytes` is what a token of KV cache takes or would take; 0
/// where nobody knows.
std::string describe(const SchedulerConfig& config, std::uint64_t token_bytes);

}  // namespace refserver
