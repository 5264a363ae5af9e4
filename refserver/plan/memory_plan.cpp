// Sums, and a search for the largest number of sequences.
#include "refserver/plan/memory_plan.hpp"

#include <algorithm>
#include <utility>

namespace refserver {
namespace {

constexpr std::uint64_t kMostSequences = 1'000'000;

std::uint64_t from_mib(double mib) {
  return static_cast<std::uint64_t>(mib * kMiB);
}

MemoryPlan add_up(const Gpu& gpu, const PlanRequest& request, std::uint64_t concurrency) {
  MemoryPlan plan;
  const std::uint64_t blocks = (request.context + request.block_tokens - 1) / request.block_tokens;
  for (const PlannedModel& model : request.models) {
    ModelMemory memory;
    memory.weights = weight_parts(model.config, request.placement);
    for (const WeightPart& part : memory.weights) {
      memory.weight_bytes += part.on_gpu;
      memory.stored_bytes += part.stored;
    }
    memory.kv_bytes_per_token = kv_bytes_per_token(model.config, request.kv);
    memory.kv_bytes = concurrency * blocks * request.block_tokens * memory.kv_bytes_per_token;
    plan.total_bytes += memory.weight_bytes + memory.kv_bytes;
    plan.activation_bytes =
        std::max(plan.activation_bytes, activation_bytes(model.config, request.prefill_chunk + concurrency));
    plan.logit_bytes = std::max(plan.logit_bytes, concurrency * model.config.vocab_size * sizeof(float));
    plan.models.push_back(std::move(memory));
  }
  plan.scratch_bytes = kScratchBytes;
  plan.graph_bytes = kGraphBytesPerModel * request.models.size();
  plan.context_bytes = from_mib(gpu.context_mib);
  plan.headroom_bytes = from_mib(request.headroom_mib);
  plan.total_bytes += plan.activation_bytes + plan.logit_bytes + plan.scratch_bytes + plan.graph_bytes +
                      plan.context_bytes + plan.headroom_bytes;
  plan.memory_bytes = from_mib(request.memory_mib > 0 ? request.memory_mib : gpu.memory_mib);
  return plan;
}

}  // namespace

std::uint64_t activation_bytes(const ModelConfig& config, std::uint64_t rows) {
  const std::uint64_t qkv = config.q_size() + 2 * config.kv_size();
  return rows * (3 * config.hidden_size + qkv + config.intermediate_size) * 2;
}

MemoryPlan plan_memory(const Gpu& gpu, const PlanRequest& request) {
  MemoryPlan plan = add_up(gpu, request, request.concurrency);
  std::uint64_t fits = 0, too_many = kMostSequences + 1;
  while (too_many - fits > 1) {
    const std::uint64_t middle = fits + (too_many - fits) / 2;
    (add_up(gpu, request, middle).fits() ? fits : too_many) = middle;
  }
  plan.largest_concurrency = fits;
  return plan;
}

}  // namespace refserver
