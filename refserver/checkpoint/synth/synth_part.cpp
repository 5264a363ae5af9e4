// Plain tensors are written in pieces, quantised ones whole.
#include "refserver/checkpoint/synth/synth_part.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <utility>

#include "kernels/fp16.hpp"
#include "refserver/checkpoint/synth/random_weights.hpp"
#include "refserver/checkpoint/synth/rtn_quantizer.hpp"

namespace refserver {
namespace {

constexpr float kBiasSize = 0.1F;

/// Uniform numbers up to this have a standard deviation of 1 / sqrt(in).
float weight_size(std::size_t in) {
  return std::sqrt(3.0F / static_cast<float>(in));
}

SynthPart norm_part(std::string name, const ModelConfig& config) {
  return {.kind = SynthPart::Kind::norm,
          .name = std::move(name),
          .in = config.hidden_size,
          .out = 1,
          .bias = SynthPart::Bias::none,
          .dtype = *config.dtype,
          .quant = {},
          .input = {}};
}

SynthPart matrix_part(std::string name, std::size_t in, std::size_t out, const ModelConfig& config) {
  SynthPart part = norm_part(std::move(name), config);
  part.kind = SynthPart::Kind::matrix;
  part.in = in;
  part.out = out;
  return part;
}

SynthPart linear_part(const std::string& prefix, const LinearShape& shape, const ModelConfig& config) {
  SynthPart part = matrix_part(prefix + std::string(shape.name), shape.in, shape.out, config);
  if (shape.has_bias) part.bias = SynthPart::Bias::random;
  if (!config.quantization) return part;
  part.kind = SynthPart::Kind::quantized;
  part.quant = config.quantization;
  if (!shape.has_bias) part.bias = SynthPart::Bias::zero;
  const bool reads_norm = shape.name.ends_with("q_proj") || shape.name.ends_with("k_proj") ||
                          shape.name.ends_with("v_proj") || shape.name.ends_with("gate_proj") ||
                          shape.name.ends_with("up_proj");
  // q, k and v read one norm's output, gate and up another's.
  part.input = !reads_norm ? part.name : prefix + (shape.name.starts_with("self_attn") ? "attention" : "mlp");
  return part;
}

/// Writes numbers as the part's dtype, a piece at a time.
CheckpointResult<void> write_plain(const std::string& name, const SynthPart& part, std::uint64_t count,
                                   const RandomWeights* weights, float offset, FolderWriter& writer) {
  constexpr std::uint64_t piece = 1U << 18U;
  std::vector<float> numbers;
  std::vector<std::uint16_t> halves;
  for (std::uint64_t at = 0; at < count; at += piece) {
    numbers.assign(static_cast<std::size_t>(std::min(piece, count - at)), 0.0F);
    if (weights != nullptr) weights->fill(at, numbers);
    for (float& number : numbers) number += offset;
    auto bytes = std::as_bytes(std::span<const float>(numbers));
    if (part.dtype != Dtype::f32) {
      halves.resize(numbers.size());
      std::ranges::transform(numbers, halves.begin(), part.dtype == Dtype::f16 ? kernels::to_half : to_bf16);
      bytes = std::as_bytes(std::span<const std::uint16_t>(halves));
    }
    if (auto written = writer.append(name, bytes); written.has_error()) return written;
  }
  return {};
}

CheckpointResult<void> write_quantized(const SynthPart& part, std::uint64_t seed, FolderWriter& writer) {
  const QuantConfig& quant = *part.quant;
  const RandomWeights weights(seed, part.name + ".weight", weight_size(part.in));
  const auto g_idx = make_g_idx(part, seed);
  const RtnLayer layer{.in = part.in,
                       .out = part.out,
                       .g_idx = g_idx,
                       .groups = static_cast<std::size_t>(*std::ranges::max_element(g_idx)) + 1,
                       .column = [&](std::size_t n, std::span<float> w) { weights.fill(n * part.in, w); }};
  const RtnTensors tensors =
      quantize_rtn(layer, {.bits = quant.bits,
                           .zero_points = quant.sym.value_or(true) ? ZeroPoints::symmetric : ZeroPoints::asymmetric,
                           .version = quant.version,
                           .bf16_scales = part.dtype == Dtype::bf16});
  for (const auto& [suffix, bytes] : {std::pair{".g_idx", std::as_bytes(std::span(g_idx))},
                                      {".qweight", std::as_bytes(std::span(tensors.qweight))},
                                      {".qzeros", std::as_bytes(std::span(tensors.qzeros))},
                                      {".scales", std::as_bytes(std::span(tensors.scales))}}) {
    if (auto written = writer.append(part.name + suffix, bytes); written.has_error()) return written;
  }
  return {};
}

}  // namespace

std::vector<std::int32_t> make_g_idx(const SynthPart& part, std::uint64_t seed) {
  const std::size_t group_size = part.quant->group_size == 0 ? part.in : part.quant->group_size;
  std::vector<std::size_t> order(part.in);
  std::iota(order.begin(), order.end(), 0U);
  if (part.quant->desc_act == true) {
    const RandomWeights numbers(seed, part.input + ".order", 1);
    std::ranges::stable_sort(order, {}, [&](std::size_t k) { return numbers.word(k); });
  }
  std::vector<std::int32_t> g_idx(part.in);
  for (std::size_t p = 0; p < order.size(); ++p) g_idx[order[p]] = static_cast<std::int32_t>(p / group_size);
  return g_idx;
}

std::vector<SynthPart> list_parts(const ModelConfig& config) {
  std::vector<SynthPart> parts;
  parts.push_back(matrix_part("model.embed_tokens", config.hidden_size, config.vocab_size, config));
  for (std::size_t i = 0; i < config.layers; ++i) {
    const std::string prefix = fmt::format("model.layers.{}.", i);
    parts.push_back(norm_part(prefix + "input_layernorm", config));
    for (const LinearShape& shape : layer_linears(config)) parts.push_back(linear_part(prefix, shape, config));
    parts.push_back(norm_part(prefix + "post_attention_layernorm", config));
  }
  parts.push_back(norm_part("model.norm", config));
  if (config.tie_word_embeddings) return parts;
  const LinearShape head{"lm_head", config.hidden_size, config.vocab_size, false};
  if (config.quantization && config.quantization->lm_head) {
    parts.push_back(linear_part("", head, config));
    parts.back().bias = SynthPart::Bias::none;
  } else {
    parts.push_back(matrix_part("lm_head", head.in, head.out, config));
  }
  return parts;
}

void append_tensors(const SynthPart& part, std::vector<TensorPlan>& tensors) {
  const std::uint64_t in = part.in, out = part.out;
  if (part.bias != SynthPart::Bias::none) tensors.push_back({part.name + ".bias", part.dtype, {out}});
  if (part.kind == SynthPart::Kind::norm) {
    tensors.push_back({part.name + ".weight", part.dtype, {in}});
  } else if (part.kind == SynthPart::Kind::matrix) {
    tensors.push_back({part.name + ".weight", part.dtype, {out, in}});
  } else {
    const std::uint64_t per_word = kernels::codes_per_word(part.quant->bits);
    const std::uint64_t groups = part.quant->group_size == 0 ? 1 : (in - 1) / part.quant->group_size + 1;
    tensors.push_back({part.name + ".g_idx", Dtype::i32, {in}});
    tensors.push_back({part.name + ".qweight", Dtype::i32, {in / per_word, out}});
    tensors.push_back({part.name + ".qzeros", Dtype::i32, {groups, out / per_word}});
    tensors.push_back({part.name + ".scales", part.dtype, {groups, out}});
  }
}

CheckpointResult<void> write_part(const SynthPart& part, std::uint64_t seed, FolderWriter& writer) {
  if (part.bias != SynthPart::Bias::none) {
    const RandomWeights numbers(seed, part.name + ".bias", kBiasSize);
    const bool is_zero = part.bias == SynthPart::Bias::zero;
    auto written = write_plain(part.name + ".bias", part, part.out, is_zero ? nullptr : &numbers, 0, writer);
    if (written.has_error()) return written;
  }
  if (part.kind == SynthPart::Kind::quantized) return write_quantized(part, seed, writer);
  const bool is_norm = part.kind == SynthPart::Kind::norm;
  const RandomWeights numbers(seed, part.name + ".weight", is_norm ? kBiasSize : weight_size(part.in));
  return write_plain(part.name + ".weight", part, std::uint64_t{part.in} * part.out, &numbers, is_norm ? 1.0F : 0.0F,
                     writer);
}

}  // namespace refserver
