// Everything that can be wrong with the options is found here, before a file is made.
#include "refserver/checkpoint/synth/synth_config.hpp"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace refserver {
namespace {

CheckpointError bad_option(const char* option, std::string text) {
  return {CheckpointErrc::bad_field, "synth", option, std::move(text)};
}

std::size_t round_up(std::size_t value, std::size_t unit) {
  return (value + unit - 1) / unit * unit;
}

CheckpointResult<void> set_vocabulary(const SynthOptions& options, const ModelPreset& preset,
                                      const SynthTokenizer& tokenizer, ModelConfig& config) {
  const bool is_tiny = preset.name.starts_with("tiny-");
  // A quantised head needs whole words of columns.
  const std::size_t needed = options.quantize_lm_head ? round_up(tokenizer.id_count, 8) : tokenizer.id_count;
  config.vocab_size = options.vocab_size.value_or(is_tiny ? needed : config.vocab_size);
  if (config.vocab_size >= tokenizer.id_count) return {};
  return bad_option("--vocab-size",
                    fmt::format("{} is less than the {} ids of the tokenizer", config.vocab_size, tokenizer.id_count));
}

CheckpointResult<void> set_special_ids(const SynthTokenizer& tokenizer, ModelConfig& config) {
  const bool is_qwen = config.architecture == Architecture::qwen2;
  const std::vector<const char*> stops =
      is_qwen ? std::vector{"<|im_end|>", "<|endoftext|>"} : std::vector{"<|end_of_text|>", "<|eom_id|>", "<|eot_id|>"};
  for (const char* const name : stops) {
    if (const auto id = tokenizer.id_of(name)) config.stop_token_ids.push_back(*id);
  }
  config.bos_token_id = tokenizer.id_of(is_qwen ? "<|endoftext|>" : "<|begin_of_text|>");
  if (config.bos_token_id && !config.stop_token_ids.empty()) return {};
  return bad_option("--tokenizer", fmt::format("has no added tokens such as {}, by which {} begins and ends texts",
                                               stops.front(), name_of(config.architecture)));
}

CheckpointResult<void> set_quantization(const SynthOptions& options, ModelConfig& config) {
  if (options.quant == SynthQuant::none) {
    config.quantization.reset();
    if (options.quantize_lm_head) return bad_option("--quantize-lm-head", "needs --quant gptq-int4");
    return {};
  }
  if (options.dtype == Dtype::f32) return bad_option("--dtype", "float32 is for --quant none");
  if (options.quantize_lm_head && config.tie_word_embeddings) {
    return bad_option("--quantize-lm-head", "needs --no-tie-embeddings");
  }
  const std::size_t per_word = kernels::codes_per_word(options.bits);
  if (options.quantize_lm_head && config.vocab_size % per_word != 0) {
    return bad_option("--vocab-size", fmt::format("{} is no multiple of {}", config.vocab_size, per_word));
  }
  QuantConfig& quant = *config.quantization;
  quant.bits = options.bits;
  quant.group_size = options.group_size;
  quant.version = options.version;
  quant.desc_act = options.desc_act.value_or(*quant.desc_act);
  quant.sym = options.sym;
  quant.lm_head = options.quantize_lm_head;
  return {};
}

}  // namespace

CheckpointResult<ModelConfig> make_synth_config(const SynthOptions& options, const ModelPreset& preset,
                                                const SynthTokenizer& tokenizer) {
  ModelConfig config = preset.config;
  config.dtype = options.dtype;
  config.tie_word_embeddings = options.tie_embeddings.value_or(config.tie_word_embeddings);
  if (auto set = set_vocabulary(options, preset, tokenizer, config); set.has_error()) return set.error();
  if (auto set = set_special_ids(tokenizer, config); set.has_error()) return set.error();
  if (auto set = set_quantization(options, config); set.has_error()) return set.error();
  return config;
}

}  // namespace refserver
