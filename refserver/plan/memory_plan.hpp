// Whether models, their keys and values and everything else fit a GPU, to the byte, and how many sequences would.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "refserver/plan/gpu.hpp"
#include "refserver/plan/model_bytes.hpp"

namespace refserver {

struct PlannedModel {
  std::string name;
  ModelConfig config;
};

struct PlanRequest {
  std::vector<PlannedModel> models;  ///< all on one GPU at once
  WeightPlacement placement;
  KvForm kv = KvForm::fp16;
  std::uint64_t context = 0;          ///< tokens per sequence, prompt and answer
  std::uint64_t concurrency = 0;      ///< sequences per model
  std::uint64_t prefill_chunk = 256;  ///< prompt tokens in one step
  std::uint64_t block_tokens = 16;    ///< KV is allocated in blocks of so many
  double headroom_mib = 256;          ///< left free
  double memory_mib = 0;              ///< instead of the GPU's; 0: the GPU's
};

/// Bytes of one model on the GPU.
struct ModelMemory {
  std::vector<WeightPart> weights;
  std::uint64_t weight_bytes = 0;
  std::uint64_t stored_bytes = 0;  ///< in the files
  std::uint64_t kv_bytes = 0;
  std::uint64_t kv_bytes_per_token = 0;
};

struct MemoryPlan {
  std::vector<ModelMemory> models;
  std::uint64_t activation_bytes = 0;  ///< the largest model's: one computes at a time
  std::uint64_t logit_bytes = 0;       ///< likewise
  std::uint64_t scratch_bytes = 0;     ///< partial sums of products
  std::uint64_t graph_bytes = 0;
  std::uint64_t context_bytes = 0;
  std::uint64_t headroom_bytes = 0;
  std::uint64_t total_bytes = 0;          ///< all of the above
  std::uint64_t memory_bytes = 0;         ///< what there is
  std::uint64_t largest_concurrency = 0;  ///< sequences per model that fit; 0: not even one

  bool fits() const { return total_bytes <= memory_bytes; }
};

MemoryPlan plan_memory(const Gpu& gpu, const PlanRequest& request);

/// Memory of activations for `rows` tokens in one step: input and residual, q with k and v, the MLP's middle, and an
/// output, in fp16.
std::uint64_t activation_bytes(const ModelConfig& config, std::uint64_t rows);

inline constexpr double kMiB = 1024.0 * 1024.0;
inline constexpr std::uint64_t kScratchBytes = 10U << 20U;       ///< bound on partial sums
inline constexpr std::uint64_t kGraphBytesPerModel = 8U << 20U;  ///< assumed: captured launch graphs

}  // namespace refserver
