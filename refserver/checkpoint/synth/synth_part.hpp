// The parts a made-up model consists of, each with its tensors and how they are filled.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "refserver/checkpoint/model_config.hpp"
#include "refserver/checkpoint/synth/folder_writer.hpp"

namespace refserver {

struct SynthPart {
  enum class Kind : std::uint8_t { norm, matrix, quantized };
  enum class Bias : std::uint8_t { none, zero, random };

  Kind kind = Kind::matrix;
  std::string name;    ///< without ".weight"
  std::size_t in = 0;  ///< columns of a plain matrix
  std::size_t out = 0;
  Bias bias = Bias::none;
  Dtype dtype = Dtype::f16;
  std::optional<QuantConfig> quant;  ///< of a quantised one
  std::string input;  ///< layers with the same input share the order of rows in groups, as GPTQ finds it from the input
};

/// In the order of the model. A quantised model has a bias on every layer, zero where the architecture has none.
std::vector<SynthPart> list_parts(const ModelConfig& config);

void append_tensors(const SynthPart& part, std::vector<TensorPlan>& tensors);

CheckpointResult<void> write_part(const SynthPart& part, std::uint64_t seed, FolderWriter& writer);

/// The group of each of `in` rows: in order, or shuffled by (seed, input).
std::vector<std::int32_t> make_g_idx(const SynthPart& part, std::uint64_t seed);

}  // namespace refserver
