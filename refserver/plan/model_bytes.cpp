// The byte counts of the GPTQ layout (kernels/gptq_format.hpp), summed over the layers of a model.
#include "refserver/plan/model_bytes.hpp"

namespace refserver {
namespace {

constexpr std::uint64_t kScaleBytes = 2;
constexpr std::uint64_t kHeadGroup = 128;

std::uint64_t divide_up(std::uint64_t value, std::uint64_t by) {
  return (value + by - 1) / by;
}

struct LinearBytes {
  std::uint64_t codes = 0;  ///< or plain weights
  std::uint64_t scales = 0;
  std::uint64_t zeros = 0;
  std::uint64_t g_idx = 0;
};

LinearBytes linear_bytes(std::uint64_t in, std::uint64_t out, const ModelConfig& config) {
  const std::uint64_t plain = size_of(config.dtype.value_or(Dtype::f16));
  if (!config.quantization) return {.codes = in * out * plain, .scales = 0, .zeros = 0, .g_idx = 0};
  const QuantConfig& quant = *config.quantization;
  const std::uint64_t groups = quant.group_size == 0 ? 1 : divide_up(in, quant.group_size);
  return {.codes = in * out * quant.bits / 8,
          .scales = groups * out * kScaleBytes,
          .zeros = groups * out * quant.bits / 8,
          .g_idx = in * 4};
}

/// Linear layers of all blocks, part by part, and what of them a GPU keeps.
void add_linears(const ModelConfig& config, std::vector<WeightPart>& parts) {
  const std::uint64_t element = size_of(config.dtype.value_or(Dtype::f16));
  LinearBytes sum;
  std::uint64_t biases = 0, spurious = 0, order = 0;
  for (const LinearShape& shape : layer_linears(config)) {
    const LinearBytes bytes = linear_bytes(shape.in, shape.out, config);
    sum.codes += bytes.codes;
    sum.scales += bytes.scales;
    sum.zeros += bytes.zeros;
    sum.g_idx += bytes.g_idx;
    (shape.has_bias ? biases : spurious) += shape.out * element;
    // q, k and v read the same input in the same order, gate and up another: one order of 16-bit numbers each.
    const bool shares =
        shape.name.ends_with("k_proj") || shape.name.ends_with("v_proj") || shape.name.ends_with("up_proj");
    if (!shares) order += shape.in * 2;
  }
  const std::uint64_t layers = config.layers;
  const bool quantised = config.quantization.has_value();
  const bool symmetric = quantised && config.quantization->sym.value_or(true);
  const bool scattered = quantised && config.quantization->desc_act.value_or(false);
  parts.push_back({quantised ? "codes" : "weights", layers * sum.codes, layers * sum.codes});
  parts.push_back({"scales", layers * sum.scales, layers * sum.scales});
  parts.push_back({"zero points", layers * sum.zeros, symmetric ? 0 : layers * sum.zeros});
  parts.push_back({"group order", layers * sum.g_idx, scattered ? layers * order : 0});
  parts.push_back({"biases", layers * (biases + (quantised ? spurious : 0)), layers * biases});
}

std::uint64_t head_bytes(const ModelConfig& config, HeadForm form) {
  const std::uint64_t rows = config.vocab_size, cols = config.hidden_size;
  if (form == HeadForm::int8) return rows * cols + rows * kScaleBytes;
  if (form == HeadForm::int4) return rows * cols / 2 + divide_up(cols, kHeadGroup) * rows * kScaleBytes;
  if (config.quantization && config.quantization->lm_head) {
    const LinearBytes bytes = linear_bytes(cols, rows, config);
    return bytes.codes + bytes.scales + bytes.zeros + bytes.g_idx;
  }
  return rows * cols * size_of(config.dtype.value_or(Dtype::f16));
}

}  // namespace

std::vector<WeightPart> weight_parts(const ModelConfig& config, const WeightPlacement& placement) {
  const std::uint64_t element = size_of(config.dtype.value_or(Dtype::f16));
  const std::uint64_t norms = (2 * config.layers + 1) * std::uint64_t{config.hidden_size} * element;
  const std::uint64_t embedding = std::uint64_t{config.vocab_size} * config.hidden_size * element;
  const bool on_gpu = placement.embedding == EmbeddingPlace::gpu;
  std::vector<WeightPart> parts;
  add_linears(config, parts);
  parts.push_back({"norms", norms, norms});
  // A tied head that is not converted is the embedding: then it is on the GPU once, as the head.
  const bool shared = config.tie_word_embeddings && placement.head == HeadForm::stored;
  parts.push_back({"embedding", embedding, on_gpu && !shared ? embedding : 0, false});
  const std::uint64_t stored_head = config.tie_word_embeddings ? 0 : head_bytes(config, HeadForm::stored);
  parts.push_back({"lm_head", stored_head, head_bytes(config, placement.head)});
  return parts;
}

std::uint64_t linear_elements(const ModelConfig& config) {
  std::uint64_t elements = 0;
  for (const LinearShape& shape : layer_linears(config)) elements += std::uint64_t{shape.in} * shape.out;
  return elements * config.layers;
}

std::uint64_t head_elements(const ModelConfig& config) {
  return std::uint64_t{config.vocab_size} * config.hidden_size;
}

std::uint64_t kv_bytes_per_token(const ModelConfig& config, KvForm form) {
  const std::uint64_t vectors = std::uint64_t{2} * config.layers * config.kv_heads;
  switch (form) {
    case KvForm::fp16:
      return vectors * config.head_dim * 2;
    case KvForm::fp8:
      return vectors * config.head_dim;
    case KvForm::int8:
      break;
  }
  return vectors * (config.head_dim + kScaleBytes);
}

}  // namespace refserver
