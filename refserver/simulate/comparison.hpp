// The same requests under several ways of scheduling, side by side.
#pragma once

#include <string>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/engine/step_cost.hpp"
#include "refserver/simulate/simulation.hpp"

namespace refserver {

struct ComparisonSettings {
  RequestTrace trace;
  CostPreset preset;
  std::uint32_t kv_tokens = 16'384;  ///< slots of KV memory, however they are handed out
  std::uint32_t max_batch_size = 32;
  std::uint32_t max_total_tokens = 4096;  ///< what memory is set aside for per request, where it is contiguous
};

/// One way of scheduling and what came of it.
struct ComparedRun {
  std::string name;
  std::string what;  ///< one line
  SimulationResult result;
};

/// Serial, static and continuous batching over paged KV; then continuous batching that reserves what each request may
/// need, and one that sets aside the longest request's memory for each, in one piece. Throws std::invalid_argument if
/// the trace does not fit the settings.
std::vector<ComparedRun> compare_scheduling(const ComparisonSettings& settings);

}  // namespace refserver
