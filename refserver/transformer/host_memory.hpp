// How much memory a model takes on a CPU and how many tokens of keys and values fit a budget, before anything is
// allocated. Pure arithmetic.
#pragma once

#include <cstdint>
#include <string>

#include "kernels/kv_cache.hpp"
#include "refserver/checkpoint/checkpoint.hpp"
#include "refserver/result.hpp"
#include "refserver/transformer/model_weights.hpp"

namespace refserver {

struct HostMemoryRequest {
  HeadStorage head = HeadStorage::as_stored;
  kernels::KvType kv_type = kernels::KvType::f32;
  std::uint32_t block_tokens = 16;
  std::uint32_t pass_rows = 512;     ///< tokens computed at once
  std::uint32_t logit_rows = 64;     ///< of them, those whose logits are
  std::uint64_t context_tokens = 0;  ///< of one sequence, prompt and answer: the least that must fit
  std::uint64_t wanted_tokens =
      0;  ///< of keys and values altogether; 0: as many as fit, without a budget context_tokens
  std::uint64_t budget_bytes = 0;  ///< for all of it; 0: no limit
};

struct HostMemoryPlan {
  std::uint64_t weight_bytes = 0;  ///< copied into the backend's layout; about right for the reference backend
  std::uint64_t mapped_bytes = 0;  ///< plain matrices used where the file is mapped: the page cache's, not in the total
  std::uint64_t read_bytes = 0;  ///< of weights in a step, however many rows: all matrices but the embedding's look-up
  std::uint64_t layer_macs = 0;  ///< multiplications of a token in the layers' matrices
  std::uint64_t head_macs = 0;   ///< and in the output layer, for a token that is wanted
  std::uint64_t buffer_bytes = 0;
  std::uint64_t kv_block_bytes = 0;
  std::uint32_t kv_blocks = 0;  ///< with the padding block

  std::uint64_t kv_bytes() const { return kv_block_bytes * kv_blocks; }
  std::uint64_t total_bytes() const { return weight_bytes + buffer_bytes + kv_bytes(); }
  std::uint64_t kv_tokens(std::uint32_t block_tokens) const { return std::uint64_t{kv_blocks - 1} * block_tokens; }
};

/// The plan, or, with the numbers, why the budget is too small.
Result<HostMemoryPlan, std::string> plan_host_memory(const Checkpoint& checkpoint, const HostMemoryRequest& request);

/// "weights 350 MB (272 MB more mapped), buffers 12 MB, keys and values 25 MB for 2048 tokens: 387 MB".
std::string describe(const HostMemoryPlan& plan, std::uint32_t block_tokens);

}  // namespace refserver
