// How long a step of a simulated device takes, as a function of what is in it; and the presets that come with the
// program, which are estimates.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/schedule/step.hpp"

namespace refserver {

/// base + max(weights, prefill_token * prompt tokens + decode_token * other tokens) + context_token * context,
/// all in nanoseconds. Context counts every token a row looks back on, itself included. A step reads all weights
/// however few tokens it has, which hides the products of the first few; without `weights` the cost is linear.
struct StepCost {
  double base = 0;
  double weights = 0;
  double prefill_token = 0;
  double decode_token = 0;  ///< drafts are tokens too
  double context_token = 0;

  double of(const StepPlan& plan) const;
};

/// `notes` says where the numbers come from.
struct CostPreset {
  std::string name;
  StepCost cost;
  std::uint64_t kv_bytes_per_token = 0;  ///< 0: not stated
  std::string notes;
};

/// Reads a preset; `file` is for messages. Fields as in the files of refserver/engine/presets.
CheckpointResult<CostPreset> parse_cost_preset(std::string_view json, const std::string& file);

/// One of `known_cost_presets()` by name, otherwise a file.
CheckpointResult<CostPreset> load_cost_preset(const std::string& name_or_file);

/// Names of the presets compiled in.
std::vector<std::string> known_cost_presets();

namespace embedded {
extern const std::string_view cost_qwen2_7b_rtx4070s;
extern const std::string_view cost_qwen2_7b_rtx4090;
extern const std::string_view cost_qwen2_7b_h200;
extern const std::string_view cost_llama_3_1_8b_rtx4070s;
extern const std::string_view cost_llama_3_1_8b_rtx4090;
extern const std::string_view cost_llama_3_1_8b_h200;
}  // namespace embedded

}  // namespace refserver
