// What a made-up model folder is to look like. Plain values.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "refserver/checkpoint/dtype.hpp"
#include "refserver/checkpoint/model_config.hpp"

namespace refserver {

enum class SynthQuant : std::uint8_t { none, gptq };
/// Field names as older or as newer exports spell them (torch_dtype, rope_theta; dtype, rope_parameters).
enum class ConfigStyle : std::uint8_t { older, newer };
/// Where the chat template goes: into tokenizer_config.json, or into a file of its own.
enum class TemplatePlace : std::uint8_t { field, file };

struct SynthOptions {
  std::string preset;  ///< a name of `model_presets()`
  SynthQuant quant = SynthQuant::gptq;
  unsigned bits = 4;
  std::size_t group_size = 128;  ///< 0: one group
  std::optional<bool> desc_act;  ///< default: the preset's
  bool sym = true;
  kernels::GptqVersion version = kernels::GptqVersion::v1;
  bool quantize_lm_head = false;
  Dtype dtype = Dtype::f16;  ///< of what is not quantised, and of scales
  std::optional<bool> tie_embeddings;
  std::optional<std::size_t> vocab_size;  ///< default: the preset's; of a tiny model, what the tokenizer needs
  std::uint64_t seed = 1;
  ConfigStyle config_style = ConfigStyle::older;
  TemplatePlace template_place = TemplatePlace::field;
  std::uint64_t max_shard_bytes = 5'000'000'000;
  std::filesystem::path tokenizer_folder;  ///< empty: the small tokenizer compiled in
};

}  // namespace refserver
