// How fast the models could run at best: bytes against bandwidth, products against arithmetic. Bounds, not predictions.
#pragma once

#include <cstdint>
#include <vector>

#include "refserver/plan/memory_plan.hpp"

namespace refserver {

struct RooflineModel {
  std::uint64_t step_bytes = 0;     ///< weights read in one decode step, whatever its batch
  std::uint64_t step_products = 0;  ///< multiply-adds per token, head included
  double single_step_s = 0;         ///< one sequence alone
  double batch_step_s = 0;          ///< all sequences
  double prefill_token_s = 0;       ///< per prompt token
  double crossover = 0;             ///< tokens per step from which arithmetic, not bandwidth, is the limit
};

struct Roofline {
  std::vector<RooflineModel> models;
  std::uint64_t prompt = 0;
  std::uint64_t new_tokens = 0;
  double round_s = 0;  ///< one step of every model: the time between two tokens of a sequence
  /// End of the last of all requests when `concurrency` per model arrive together: every prompt, then every token.
  double last_s = 0;
};

Roofline compute_roofline(const Gpu& gpu, const PlanRequest& request, std::uint64_t new_tokens);

/// Seconds of a decode step of `batch` sequences with `kv_tokens` tokens behind each, without gaps.
double decode_step_s(const Gpu& gpu, const RooflineModel& model, std::uint64_t batch, double kv_bytes_per_sequence);

}  // namespace refserver
