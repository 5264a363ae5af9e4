// Fields and their order follow the published files, with what the loader is to ignore in them too.
#include "refserver/checkpoint/synth/synth_texts.hpp"

#include <nlohmann/json.hpp>

namespace refserver {
namespace {

using OrderedJson = nlohmann::ordered_json;

const char* torch_name(Dtype dtype) {
  return dtype == Dtype::f16 ? "float16" : dtype == Dtype::bf16 ? "bfloat16" : "float32";
}

OrderedJson rope_json(const RopeConfig& rope) {
  if (!rope.llama3) return {{"rope_type", "default"}};
  return {{"factor", rope.llama3->factor},
          {"high_freq_factor", rope.llama3->high_freq_factor},
          {"low_freq_factor", rope.llama3->low_freq_factor},
          {"original_max_position_embeddings", rope.llama3->original_max_positions},
          {"rope_type", "llama3"}};
}

OrderedJson quant_json(const QuantConfig& quant) {
  OrderedJson json{{"bits", quant.bits},
                   {"damp_percent", 0.01},
                   {"desc_act", quant.desc_act.value_or(false)},
                   {"group_size", quant.group_size == 0 ? -1 : static_cast<std::int64_t>(quant.group_size)}};
  // The format is stated only where it is not the first one, as in files of its time.
  if (quant.version == kernels::GptqVersion::v2) json["checkpoint_format"] = "gptq_v2";
  if (quant.lm_head) json["lm_head"] = true;
  json["model_file_base_name"] = nullptr;
  json["model_name_or_path"] = nullptr;
  json["quant_method"] = "gptq";
  json["static_groups"] = false;
  json["sym"] = quant.sym.value_or(true);
  json["true_sequential"] = true;
  return json;
}

/// Qwen2's config.json states one end token and its generation_config.json all; Llama's state all in both.
OrderedJson eos_json(const ModelConfig& config, Architecture one_only) {
  if (config.architecture == one_only && !config.stop_token_ids.empty()) return config.stop_token_ids.front();
  return config.stop_token_ids;
}

std::string config_text(const ModelConfig& config, const SynthOptions& options) {
  const bool is_qwen = config.architecture == Architecture::qwen2;
  const bool newer = options.config_style == ConfigStyle::newer;
  OrderedJson json;
  json["architectures"] = {is_qwen ? "Qwen2ForCausalLM" : "LlamaForCausalLM"};
  if (!is_qwen) json["attention_bias"] = config.qkv_bias;
  json["attention_dropout"] = 0.0;
  json["bos_token_id"] = *config.bos_token_id;
  if (newer) json["dtype"] = torch_name(*config.dtype);
  json["eos_token_id"] = eos_json(config, Architecture::qwen2);
  if (newer) json["head_dim"] = config.head_dim;
  json["hidden_act"] = "silu";
  json["hidden_size"] = config.hidden_size;
  json["initializer_range"] = 0.02;
  json["intermediate_size"] = config.intermediate_size;
  if (newer) json["layer_types"] = std::vector<std::string>(config.layers, "full_attention");
  json["max_position_embeddings"] = config.max_positions;
  if (is_qwen) json["max_window_layers"] = config.layers;
  if (!is_qwen) json["mlp_bias"] = config.mlp_bias;
  json["model_type"] = name_of(config.architecture);
  json["num_attention_heads"] = config.heads;
  json["num_hidden_layers"] = config.layers;
  json["num_key_value_heads"] = config.kv_heads;
  if (!is_qwen) json["pretraining_tp"] = 1;
  if (config.quantization) json["quantization_config"] = quant_json(*config.quantization);
  json["rms_norm_eps"] = config.rms_norm_eps;
  if (newer) {
    json["rope_parameters"] = rope_json(config.rope);
    json["rope_parameters"]["rope_theta"] = config.rope.theta;
  } else {
    if (!is_qwen) json["rope_scaling"] = config.rope.llama3 ? rope_json(config.rope) : OrderedJson();
    json["rope_theta"] = config.rope.theta;
  }
  if (is_qwen) json["sliding_window"] = newer ? OrderedJson() : OrderedJson(131072);
  json["tie_word_embeddings"] = config.tie_word_embeddings;
  if (!newer) json["torch_dtype"] = torch_name(*config.dtype);
  json["transformers_version"] = newer ? "5.0.0" : "4.42.3";
  json["use_cache"] = true;
  if (is_qwen) json["use_sliding_window"] = false;
  json["vocab_size"] = config.vocab_size;
  return json.dump(2) + "\n";
}

std::string generation_text(const ModelConfig& config) {
  OrderedJson json{{"bos_token_id", *config.bos_token_id}, {"do_sample", true}};
  json["eos_token_id"] = config.stop_token_ids;
  if (config.architecture == Architecture::qwen2) {
    json["pad_token_id"] = *config.bos_token_id;
    json["repetition_penalty"] = 1.05;
    json["temperature"] = 0.7;
    json["top_k"] = 20;
    json["top_p"] = 0.8;
  } else {
    json["temperature"] = 0.6;
    json["top_p"] = 0.9;
  }
  return json.dump(2) + "\n";
}

}  // namespace

CheckpointResult<std::vector<std::pair<std::string, std::string>>> make_synth_texts(const ModelConfig& config,
                                                                                    const SynthOptions& options,
                                                                                    const SynthTokenizer& tokenizer) {
  std::vector<std::pair<std::string, std::string>> texts;
  texts.emplace_back("tokenizer.json", tokenizer.tokenizer);
  OrderedJson tokenizer_config = OrderedJson::parse(tokenizer.tokenizer_config, nullptr, false);
  if (!tokenizer_config.is_object()) {
    return CheckpointError{CheckpointErrc::bad_json, (options.tokenizer_folder / "tokenizer_config.json").string(), "",
                           "is not a JSON object"};
  }
  if (options.template_place == TemplatePlace::field) {
    tokenizer_config["chat_template"] = tokenizer.chat_template;
  } else {
    tokenizer_config.erase("chat_template");
    texts.emplace_back("chat_template.jinja", tokenizer.chat_template);
  }
  texts.emplace_back("tokenizer_config.json", tokenizer_config.dump(1) + "\n");
  texts.emplace_back("generation_config.json", generation_text(config));
  // The published Llama folder has this file as well, the Qwen2 ones do not.
  if (config.quantization && config.architecture == Architecture::llama) {
    OrderedJson quantize = quant_json(*config.quantization);
    quantize["is_marlin_format"] = false;
    texts.emplace_back("quantize_config.json", quantize.dump(2) + "\n");
  }
  texts.emplace_back("config.json", config_text(config, options));
  return texts;
}

}  // namespace refserver
