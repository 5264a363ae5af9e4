// The checks GPTQ files need: shapes against the configuration, zero points against the stated format, zero biases.
#include "refserver/checkpoint/linear_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace refserver {
namespace {

using kernels::GptqVersion;

/// The word in which every zero point is the middle of the codes' range, as the version stores it.
std::uint32_t middle_word(GptqVersion version, unsigned bits) {
  const std::uint32_t middle = (1U << (bits - 1)) - (version == GptqVersion::v1 ? 1 : 0);
  return bits == 4 ? middle * 0x11111111U : middle * 0x01010101U;
}

/// Scales as halves: where they lie, or converted from BF16. A half has more digits than a BF16 but a smaller range.
std::span<const kernels::half_bits> read_scales(TensorReader& reader, const TensorView& tensor) {
  if (tensor.dtype() == Dtype::f16) return reader.elements<kernels::half_bits>(tensor);
  const std::size_t count = tensor.bytes.size() / size_of(tensor.dtype());
  const auto halves = reader.room<kernels::half_bits>(count);
  for (std::size_t i = 0; i < count; ++i) {
    const float scale = read_float(tensor.dtype(), tensor.bytes, i);
    halves[i] = kernels::to_half(scale);
    if (kernels::to_float(halves[i]) != scale && scale == scale) {
      reader.warn("BF16 scales are no exact F16 numbers and were rounded", std::string(tensor.name()));
    }
  }
  return halves;
}

/// Rows per group: the configuration's, unless the scales have another number of rows that divides the layer evenly.
std::size_t group_size_of(TensorReader& reader, const LinearSpec& spec, const TensorView& scales,
                          const QuantConfig& quant) {
  const std::size_t stated = quant.group_size == 0 ? spec.in : quant.group_size;
  const std::size_t groups = (spec.in - 1) / stated + 1;
  const auto& shape = scales.shape();
  if (shape.size() != 2 || shape[0] == groups || shape[0] == 0 || spec.in % shape[0] != 0) return stated;
  const std::size_t found = spec.in / shape[0];
  reader.warn(
      fmt::format("scales are for groups of {} rows where the configuration says {}; the tensors count", found, stated),
      std::string(scales.name()));
  return found;
}

/// The version the zero points are stored in: the stated one, unless the layer is said to be symmetric and is so in the
/// other version only.
GptqVersion settle_version(TensorReader& reader, const LinearSpec& spec, const QuantConfig& quant,
                           std::span<const std::uint32_t> words) {
  const auto all = [&](GptqVersion version) {
    const std::uint32_t middle = middle_word(version, quant.bits);
    return std::ranges::all_of(words, [middle](std::uint32_t word) { return word == middle; });
  };
  const GptqVersion other = quant.version == GptqVersion::v1 ? GptqVersion::v2 : GptqVersion::v1;
  if (quant.sym != true || all(quant.version)) return quant.version;
  if (all(other)) {
    reader.warn(fmt::format("zero points are stored as {} does, not as the checkpoint_format says; the tensors count",
                            other == GptqVersion::v1 ? "gptq" : "gptq_v2"),
                spec.name);
    return other;
  }
  reader.warn("zero points differ from the middle although sym is true; the tensors count", spec.name);
  return quant.version;
}

bool is_in_order(std::span<const std::int32_t> g_idx, std::size_t group_size) {
  for (std::size_t k = 0; k < g_idx.size(); ++k) {
    if (static_cast<std::size_t>(g_idx[k]) != k / group_size) return false;
  }
  return true;
}

/// g_idx, or nothing where it may be absent: then groups follow each other.
std::span<const std::int32_t> read_g_idx(TensorReader& reader, const LinearSpec& spec, const QuantConfig& quant) {
  const std::string name = spec.name + ".g_idx";
  const std::array shape{std::uint64_t{spec.in}};
  if (quant.desc_act != true && !reader.has(name)) return {};
  const TensorView* const tensor = reader.need(name, "I32", shape);
  return tensor == nullptr ? std::span<const std::int32_t>() : reader.elements<std::int32_t>(*tensor);
}

std::optional<QuantizedWeight> read_quantized(TensorReader& reader, const LinearSpec& spec, const QuantConfig& quant) {
  const std::uint64_t per_word = kernels::codes_per_word(quant.bits);
  const std::uint64_t in = spec.in, out = spec.out;
  if (in % per_word != 0 || out % per_word != 0) {
    reader.fail({CheckpointErrc::bad_tensor, reader.store().folder(), spec.name,
                 fmt::format("{} x {} cannot be packed, {} codes to a word", in, out, per_word)});
    return std::nullopt;
  }
  const TensorView* const qweight = reader.need(spec.name + ".qweight", "I32", std::array{in / per_word, out});
  const TensorView* const scales = reader.find(spec.name + ".scales");
  const std::size_t group_size = scales == nullptr ? spec.in : group_size_of(reader, spec, *scales, quant);
  const std::uint64_t groups = (in - 1) / group_size + 1;
  const bool is_bf16 = scales != nullptr && scales->dtype() == Dtype::bf16;
  reader.need(spec.name + ".scales", is_bf16 ? "BF16" : "F16", std::array{groups, out});
  const TensorView* const qzeros = reader.need(spec.name + ".qzeros", "I32", std::array{groups, out / per_word});
  const auto g_idx = read_g_idx(reader, spec, quant);
  if (reader.failed()) return std::nullopt;

  const auto zero_words = reader.elements<std::uint32_t>(*qzeros);
  const GptqVersion version = settle_version(reader, spec, quant, zero_words);
  const kernels::GptqTensors tensors{
      .name = qweight->name().substr(0, spec.name.size()),  // the header's own text, which stays where it is
      .qweight = {reader.elements<std::uint32_t>(*qweight), in / per_word, out},
      .qzeros = {zero_words, groups, out / per_word},
      .scales = {read_scales(reader, *scales), groups, out},
      .g_idx = g_idx,
      .version = version,
      .bits = quant.bits};
  auto matrix = kernels::make_gptq_matrix(tensors, group_size);
  if (matrix.has_error()) {
    reader.fail({CheckpointErrc::bad_tensor, qweight->file->path(), "", matrix.error().message});
    return std::nullopt;
  }
  const std::uint32_t middle = middle_word(version, quant.bits);
  QuantizedWeight weight{*matrix, std::ranges::all_of(zero_words, [=](std::uint32_t w) { return w == middle; }),
                         is_in_order(g_idx, group_size)};
  if (quant.desc_act == false && !weight.groups_in_order) {
    reader.warn("rows are in scattered groups although desc_act is false; g_idx counts", spec.name);
  }
  return weight;
}

/// A bias the architecture has is needed. One it does not have is dropped when all zero, as the published GPTQ files
/// have one on every layer, and kept otherwise: the file then really has it.
std::optional<PlainVector> read_bias(TensorReader& reader, const LinearSpec& spec) {
  const std::string name = spec.name + ".bias";
  if (!spec.has_bias && !reader.has(name)) return std::nullopt;
  const PlainVector bias = reader.vector(name, spec.out);
  if (reader.failed() || spec.has_bias) return bias;
  for (std::size_t i = 0; i < bias.size; ++i) {
    if (bias.at(i) == 0) continue;
    reader.warn("a bias this architecture does not have is not zero, and is used", name);
    return bias;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Linear> read_linear(TensorReader& reader, const LinearSpec& spec, const QuantConfig* quant) {
  const bool has_plain = reader.has(spec.name + ".weight");
  const bool has_codes = reader.has(spec.name + ".qweight");
  if (has_plain && has_codes) {
    reader.fail({CheckpointErrc::bad_tensor, reader.store().folder(), spec.name, "has both .weight and .qweight"});
  }
  if (has_codes && quant == nullptr) {
    reader.fail({CheckpointErrc::unsupported, reader.store().folder(), spec.name + ".qweight",
                 "is quantised, but neither config.json nor quantize_config.json says how"});
  }
  if (reader.failed()) return std::nullopt;
  Linear linear{.name = {}, .in = spec.in, .out = spec.out, .weight = PlainMatrix{}, .bias = {}};
  if (quant != nullptr && (has_codes || (spec.is_quantized && !has_plain))) {
    auto weight = read_quantized(reader, spec, *quant);
    if (!weight) return std::nullopt;
    linear.weight = *weight;
  } else {
    if (spec.is_quantized) reader.warn("layers are not quantised in the files", spec.name);
    linear.weight = reader.matrix(spec.name + ".weight", spec.out, spec.in);
  }
  linear.bias = read_bias(reader, spec);
  if (reader.failed()) return std::nullopt;
  const TensorView* const named = reader.find(spec.name + (has_codes ? ".qweight" : ".weight"));
  linear.name = named->name().substr(0, spec.name.size());
  return linear;
}

}  // namespace refserver
