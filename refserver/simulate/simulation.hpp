// Requests through the real scheduler and a simulated engine in virtual time: nothing waits, so a million requests take
// seconds, and every run of the same settings gives the same figures on any machine.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "refserver/engine/make_engine.hpp"
#include "refserver/schedule/scheduler_config.hpp"
#include "refserver/schedule/scheduler_stats.hpp"
#include "refserver/simulate/arrivals.hpp"

namespace refserver {

/// What one request is.
struct RequestSize {
  std::uint32_t prompt = 1;
  std::uint32_t answer = 1;   ///< tokens it gets
  std::uint32_t allowed = 0;  ///< tokens it might have got, as far as the server knows; 0: the same
};

struct RequestTrace {
  std::vector<std::chrono::nanoseconds> times;  ///< of arrival, in order
  std::vector<RequestSize> sizes;
};

struct SimulationSettings {
  SchedulerConfig scheduler;
  EngineSettings engine;
  std::vector<Stall> stalls;
  std::uint64_t requests = 0;
  ArrivalSettings arrivals;  ///< unless there is a trace
  RequestSize size;          ///< unless there is a trace
  RequestTrace trace;        ///< its length is the number of requests
};

/// Sums over committed steps.
struct StepTotals {
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;
  std::uint64_t tokens = 0;
  double busy_ns = 0;
  double row_ns = 0;              ///< rows times length
  double utilisation = 0;         ///< of KV: written slots over slots of allocated blocks, summed over `kv_steps`
  std::uint64_t kv_steps = 0;     ///< steps after which any block was allocated
  std::uint32_t most_blocks = 0;  ///< allocated at once
};

/// Times in nanoseconds. Series are in order of arrival, but gaps, which are in order of the later token.
struct SimulationResult {
  std::vector<std::int64_t> wait;  ///< arrival to the first step
  std::vector<std::int64_t> ttft;  ///< arrival to the first token
  std::vector<std::int64_t> e2e;   ///< arrival to the last token
  std::vector<std::int64_t> gap;   ///< token to token of a request
  StepTotals steps;
  SchedulerCounters counters;
  std::uint32_t block_size = 0;
  std::chrono::nanoseconds duration{0};  ///< first arrival to last token

  double busy_share() const;
  double mean_rows() const;  ///< per step, weighted by time; where steps take none, per step
  /// None where no step left a block allocated: every request was over with its first step.
  std::optional<double> kv_utilisation() const;
  double requests_per_s() const;
  double tokens_per_s() const;  ///< of answers
};

/// Runs until every request is answered. Throws std::invalid_argument if the scheduler's settings cannot work, or if
/// it refuses a request.
SimulationResult simulate(const SimulationSettings& settings);

}  // namespace refserver
