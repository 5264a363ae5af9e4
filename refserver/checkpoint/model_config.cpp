// config.json first, then what the smaller files add to it.
#include "refserver/checkpoint/model_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernels/sampling.hpp"
#include "refserver/checkpoint/config_fields.hpp"
#include "refserver/checkpoint/json_document.hpp"
#include "refserver/checkpoint/quant_config.hpp"
#include "refserver/checkpoint/rope_config.hpp"

namespace refserver {
namespace {

using Json = nlohmann::json;

// Far above any model there is, low enough that no product of two of them overflows.
constexpr std::uint64_t kLargestWidth = 1U << 20U;
constexpr std::uint64_t kLargestVocabulary = kernels::kMaxVocabulary;  // of what a token can be chosen from
constexpr std::uint64_t kLargestPositions = 1U << 30U;
constexpr std::uint64_t kLargestLayers = 4096;
constexpr std::uint64_t kLargestHeads = 4096;

void read_architecture(const ConfigFields& fields, ModelConfig& config) {
  const std::string type = fields.text("model_type").value_or("");
  if (type == "qwen2") {
    config.architecture = Architecture::qwen2;
  } else if (type == "llama") {
    config.architecture = Architecture::llama;
  } else if (!fields.failed()) {
    fields.refuse("model_type", type.empty()
                                    ? "is missing; qwen2 and llama are known"
                                    : fmt::format("\"{}\" is not known; qwen2 and llama are", printable(type)));
  }
  const std::string activation = fields.text("hidden_act").value_or("silu");
  if (activation != "silu") {
    fields.refuse("hidden_act", fmt::format("\"{}\" is not known; silu is", printable(activation)));
  }
  const bool is_qwen = config.architecture == Architecture::qwen2;
  const bool attention_bias = fields.boolean("attention_bias").value_or(false);
  config.qkv_bias = is_qwen || attention_bias;
  config.o_bias = !is_qwen && attention_bias;
  config.mlp_bias = !is_qwen && fields.boolean("mlp_bias").value_or(false);
  config.tie_word_embeddings = fields.boolean("tie_word_embeddings").value_or(false);
}

void read_sizes(const ConfigFields& fields, ModelConfig& config) {
  config.hidden_size = fields.needed("hidden_size", 1, kLargestWidth);
  config.intermediate_size = fields.needed("intermediate_size", 1, kLargestWidth);
  config.layers = fields.needed("num_hidden_layers", 1, kLargestLayers);
  config.heads = fields.needed("num_attention_heads", 1, kLargestHeads);
  config.vocab_size = fields.needed("vocab_size", 1, kLargestVocabulary);
  config.max_positions = fields.needed("max_position_embeddings", 1, kLargestPositions);
  config.kv_heads = fields.integer("num_key_value_heads", 1, kLargestHeads).value_or(config.heads);
  const auto head_dim = fields.integer("head_dim", 1, kLargestWidth);
  if (fields.failed()) return;
  if (config.heads % config.kv_heads != 0) {
    fields.fail("num_key_value_heads", CheckpointErrc::bad_field,
                fmt::format("{} does not divide num_attention_heads, {}", config.kv_heads, config.heads));
  }
  if (!head_dim && config.hidden_size % config.heads != 0) {
    fields.fail(
        "num_attention_heads", CheckpointErrc::bad_field,
        fmt::format("{} does not divide hidden_size, {}, and there is no head_dim", config.heads, config.hidden_size));
  }
  config.head_dim = head_dim.value_or(config.hidden_size / config.heads);
  if (config.head_dim % 2 != 0) {
    fields.fail("head_dim", CheckpointErrc::bad_field, fmt::format("{} is odd and cannot be rotated", config.head_dim));
  }
}

/// A window counts only where it is switched on; the published Qwen2 files state one and switch it off.
void check_full_attention(const ConfigFields& fields) {
  if (fields.boolean("use_sliding_window").value_or(false)) {
    fields.refuse("use_sliding_window", "true: attention over a window is not built");
  }
  const Json* const types = fields.find("layer_types");
  if (types == nullptr) return;
  const bool full =
      types->is_array() && std::ranges::all_of(*types, [](const Json& t) { return t == "full_attention"; });
  if (!full) fields.refuse("layer_types", "other layers than \"full_attention\" are not built");
}

void read_dtype(const ConfigFields& fields, ModelConfig& config, std::vector<std::string>& warnings) {
  const Json* const value = fields.find_either("dtype", "torch_dtype");
  if (value == nullptr) return;
  if (*value == "float16") {
    config.dtype = Dtype::f16;
  } else if (*value == "bfloat16") {
    config.dtype = Dtype::bf16;
  } else if (*value == "float32") {
    config.dtype = Dtype::f32;
  } else {
    warnings.push_back(
        fmt::format("{}: dtype: {} is not known; each tensor's own counts", fields.file(), shown(*value)));
  }
}

/// One id, or a list of ids. Those past the vocabulary cannot come up and would be a mistake to wait for.
std::vector<std::uint32_t> read_ids(const ConfigFields& fields, std::string_view key, std::size_t vocab_size) {
  std::vector<std::uint32_t> ids;
  const Json* const value = fields.find(key);
  if (value == nullptr) return ids;
  const Json list = value->is_array() ? *value : Json::array({*value});
  for (const Json& id : list) {
    if (!id.is_number_unsigned() || id.get<std::uint64_t>() >= vocab_size) {
      fields.fail(key, CheckpointErrc::bad_field, fmt::format("{} is not a token id below {}", shown(id), vocab_size));
      return {};
    }
    ids.push_back(id.get<std::uint32_t>());
  }
  return ids;
}

void add_stop_ids(const ConfigFields& fields, ModelConfig& config) {
  for (const std::uint32_t id : read_ids(fields, "eos_token_id", config.vocab_size)) {
    if (std::ranges::find(config.stop_token_ids, id) == config.stop_token_ids.end())
      config.stop_token_ids.push_back(id);
  }
  const auto bos = read_ids(fields, "bos_token_id", config.vocab_size);
  if (!bos.empty() && !config.bos_token_id) config.bos_token_id = bos.front();
}

SamplingDefaults read_sampling(const ConfigFields& fields) {
  constexpr double large = 1e6;
  return {.do_sample = fields.boolean("do_sample"),
          .temperature = fields.number("temperature", 0, large),
          .top_p = fields.number("top_p", 0, 1),
          .top_k = fields.integer("top_k", 0, kLargestVocabulary),
          .repetition_penalty = fields.number("repetition_penalty", 0, large)};
}

/// config.json's settings win over those of the older file, as in the serving frameworks.
void settle_quantization(const ConfigFields& config, const std::optional<ConfigFields>& older, ParsedConfig& parsed) {
  const auto inside = config.object("quantization_config");
  std::vector<std::string> unused;
  if (inside) parsed.config.quantization = read_quant_config(*inside, parsed.warnings);
  if (older) {
    const QuantConfig quant = read_quant_config(*older, inside ? unused : parsed.warnings);
    if (older->failed()) return;
    if (!inside) {
      parsed.config.quantization = quant;
    } else if (const std::string names = differing_settings(*parsed.config.quantization, quant); !names.empty()) {
      parsed.warnings.push_back(fmt::format("{}: differs from config.json, which counts, in {}", older->file(), names));
    }
  }
}

}  // namespace

std::string_view name_of(Architecture architecture) noexcept {
  return architecture == Architecture::qwen2 ? "qwen2" : "llama";
}

std::array<LinearShape, kLinearsPerLayer> layer_linears(const ModelConfig& config) {
  const std::size_t hidden = config.hidden_size;
  return {{{"self_attn.q_proj", hidden, config.q_size(), config.qkv_bias},
           {"self_attn.k_proj", hidden, config.kv_size(), config.qkv_bias},
           {"self_attn.v_proj", hidden, config.kv_size(), config.qkv_bias},
           {"self_attn.o_proj", config.q_size(), hidden, config.o_bias},
           {"mlp.gate_proj", hidden, config.intermediate_size, config.mlp_bias},
           {"mlp.up_proj", hidden, config.intermediate_size, config.mlp_bias},
           {"mlp.down_proj", config.intermediate_size, hidden, config.mlp_bias}}};
}

CheckpointResult<ParsedConfig> parse_model_config(const ConfigTexts& texts) {
  ParsedConfig parsed;
  ConfigFailure failure;
  const auto json = parse_json(texts.config.text, texts.config.path);
  if (json.has_error()) return json.error();
  const ConfigFields fields(*json, texts.config.path, "", failure);
  read_architecture(fields, parsed.config);
  read_sizes(fields, parsed.config);
  const auto eps = fields.number("rms_norm_eps", 0, 1);
  parsed.config.rms_norm_eps = eps.value_or(1e-6);
  if (!eps) parsed.warnings.push_back(texts.config.path + ": rms_norm_eps is absent; 1e-6 is used");
  parsed.config.rope = read_rope_config(fields);
  check_full_attention(fields);
  read_dtype(fields, parsed.config, parsed.warnings);

  Json generation, quantize;
  if (texts.generation_config) {
    auto document = parse_json(texts.generation_config->text, texts.generation_config->path);
    if (document.has_error()) return document.error();
    generation = std::move(*document);
    const ConfigFields more(generation, texts.generation_config->path, "", failure);
    add_stop_ids(more, parsed.config);
    parsed.config.sampling = read_sampling(more);
  }
  add_stop_ids(fields, parsed.config);
  std::optional<ConfigFields> older;
  if (texts.quantize_config) {
    auto document = parse_json(texts.quantize_config->text, texts.quantize_config->path);
    if (document.has_error()) return document.error();
    quantize = std::move(*document);
    older.emplace(quantize, texts.quantize_config->path, "", failure);
  }
  settle_quantization(fields, older, parsed);
  if (failure.error) return *failure.error;
  return parsed;
}

}  // namespace refserver
