// The sizes are those of the CPU backend's layouts: panels of 16 columns, pages of whole vectors.
#include "refserver/transformer/host_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace refserver {
namespace {

constexpr std::uint64_t kLine = 64;
constexpr std::uint64_t kPanelColumns = 16;
constexpr std::uint64_t kLanes = 16;
constexpr std::uint64_t kBlockRows = 128;  ///< rows that share a scale, at most
constexpr std::uint64_t kMaxBlocks = 1U << 24U;

constexpr std::uint64_t round_up(std::uint64_t value, std::uint64_t to) {
  return (value + to - 1) / to * to;
}

struct PanelShape {
  std::uint64_t out;
  std::vector<std::uint64_t> groups;  ///< rows of each
  unsigned bits;
  bool is_symmetric;
};

std::uint64_t panel_bytes(const PanelShape& shape) {
  const std::uint64_t columns = round_up(shape.out, kPanelColumns);
  const std::uint64_t rows_per_step = 32 / shape.bits;
  std::uint64_t blocks = 0, steps = 0;
  for (const std::uint64_t rows : shape.groups) {
    for (std::uint64_t done = 0; done < rows; done += kBlockRows) {
      ++blocks;
      steps += (std::min(rows - done, kBlockRows) + rows_per_step - 1) / rows_per_step;  // the last may not be full
    }
  }
  const std::uint64_t lanes = blocks * columns;
  return steps * (columns / kPanelColumns) * kLine + round_up(lanes * 2, kLine) +
         (shape.is_symmetric ? 0 : round_up(lanes, kLine));
}

/// Rows of each group, which need not be neighbours.
std::vector<std::uint64_t> group_sizes(const kernels::GptqMatrix& matrix) {
  std::vector<std::uint64_t> sizes(matrix.groups(), 0);
  for (std::size_t k = 0; k < matrix.in(); ++k) ++sizes[matrix.group(k)];
  return sizes;
}

/// The same of a matrix rounded when loading.
std::vector<std::uint64_t> group_sizes(std::uint64_t in, std::uint64_t group_size) {
  std::vector<std::uint64_t> sizes(in / group_size, group_size);
  if (in % group_size != 0) sizes.push_back(in % group_size);
  return sizes;
}

/// Where the file has it on an odd address it is copied.
void add_plain(const PlainMatrix& matrix, HostMemoryPlan& plan) {
  const bool is_aligned = reinterpret_cast<std::uintptr_t>(matrix.bytes.data()) % size_of(matrix.dtype) == 0;
  (is_aligned ? plan.mapped_bytes : plan.weight_bytes) +=
      is_aligned ? matrix.bytes.size() : round_up(matrix.bytes.size(), kLine);
}

void add_linear(const Linear& linear, HostMemoryPlan& plan) {
  if (const QuantizedWeight* const weight = linear.quantized()) {
    plan.weight_bytes +=
        panel_bytes({linear.out, group_sizes(weight->matrix), weight->matrix.bits(), weight->is_symmetric});
  } else {
    add_plain(*linear.plain(), plan);
  }
}

void add_weights(const Checkpoint& checkpoint, HeadStorage head, HostMemoryPlan& plan) {
  const ModelConfig& config = checkpoint.config();
  for (const LayerWeights& layer : checkpoint.layers()) {
    for (const Linear* const linear : {&layer.q, &layer.k, &layer.v, &layer.o, &layer.gate, &layer.up, &layer.down}) {
      add_linear(*linear, plan);
      plan.layer_macs += std::uint64_t{linear->in} * linear->out;
    }
  }
  plan.head_macs = std::uint64_t{config.hidden_size} * config.vocab_size;
  if (head != HeadStorage::as_stored && checkpoint.lm_head().plain() != nullptr) {
    const unsigned bits = head == HeadStorage::int8 ? 8 : 4;
    plan.weight_bytes +=
        panel_bytes({config.vocab_size, group_sizes(config.hidden_size, kernels::kHeadGroup), bits, true});
  } else {
    add_linear(checkpoint.lm_head(), plan);
  }
  plan.read_bytes = plan.weight_bytes + plan.mapped_bytes;
  const std::uint64_t mapped = plan.mapped_bytes;
  add_plain(checkpoint.embedding(), plan);
  // Mapped once, it is used twice.
  if (config.tie_word_embeddings && head == HeadStorage::as_stored) plan.mapped_bytes = mapped;
}

std::uint64_t mb(std::uint64_t bytes) {
  return (bytes + 500'000) / 1'000'000;
}

}  // namespace

Result<HostMemoryPlan, std::string> plan_host_memory(const Checkpoint& checkpoint, const HostMemoryRequest& request) {
  const ModelConfig& config = checkpoint.config();
  HostMemoryPlan plan;
  add_weights(checkpoint, request.head, plan);
  const std::uint64_t row =
      2 * config.hidden_size + 2 * config.q_size() + 2 * config.kv_size() + 2 * std::uint64_t{config.intermediate_size};
  plan.buffer_bytes = sizeof(float) * (request.pass_rows * row +
                                       request.logit_rows * std::uint64_t{config.hidden_size + config.vocab_size});
  plan.kv_block_bytes = 2 * std::uint64_t{config.layers} * config.kv_heads * round_up(request.block_tokens, kLanes) *
                        round_up(config.head_dim, kLanes) * (request.kv_type == kernels::KvType::f32 ? 4 : 2);
  const auto blocks_of = [&](std::uint64_t tokens) {
    return (tokens + request.block_tokens - 1) / request.block_tokens;
  };
  const std::uint64_t least = 1 + blocks_of(request.context_tokens);
  const std::uint64_t fixed = plan.weight_bytes + plan.buffer_bytes;
  std::uint64_t blocks = 1 + blocks_of(std::max(request.wanted_tokens, request.context_tokens));
  if (request.budget_bytes > 0) {
    const std::uint64_t room = request.budget_bytes > fixed ? (request.budget_bytes - fixed) / plan.kv_block_bytes : 0;
    blocks = request.wanted_tokens == 0 ? room : blocks;
    if (blocks > room || room < least) {
      const std::uint64_t needed = fixed + std::max(least, blocks) * plan.kv_block_bytes;
      return fmt::format(
          "does not fit {} MB: weights take {} MB, buffers {} MB, and {} tokens of keys and values {} MB, {} MB "
          "together; "
          "raise the budget, or lower the context or the tokens kept",
          mb(request.budget_bytes), mb(plan.weight_bytes), mb(plan.buffer_bytes),
          std::max(request.context_tokens, request.wanted_tokens), mb(needed - fixed), mb(needed));
    }
  }
  plan.kv_blocks = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(blocks, 2, kMaxBlocks));
  return plan;
}

std::string describe(const HostMemoryPlan& plan, std::uint32_t block_tokens) {
  return fmt::format(
      "weights {} MB ({} MB more mapped from files), buffers {} MB, keys and values {} MB for {} tokens: {} MB",
      mb(plan.weight_bytes), mb(plan.mapped_bytes), mb(plan.buffer_bytes), mb(plan.kv_bytes()),
      plan.kv_tokens(block_tokens), mb(plan.total_bytes()));
}

}  // namespace refserver
