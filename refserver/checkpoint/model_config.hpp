// What a model is: sizes, positions, biases, quantisation, stop tokens. Read from the JSON files of a folder, in the
// spellings of old and new exports; knows nothing of tensors or of how files are found.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/gptq_format.hpp"
#include "refserver/checkpoint/checkpoint_error.hpp"
#include "refserver/checkpoint/dtype.hpp"

namespace refserver {

enum class Architecture : std::uint8_t {
  qwen2,  ///< Qwen2ForCausalLM: biases on q, k and v
  llama,  ///< LlamaForCausalLM: none, unless the configuration says so
};

/// The `model_type` of config.json.
std::string_view name_of(Architecture architecture) noexcept;

/// Frequencies stretched as Llama 3.1 does, for all positions.
struct Llama3RopeScaling {
  double factor = 8;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  std::uint64_t original_max_positions = 8192;
};

struct RopeConfig {
  double theta = 10000;
  std::optional<Llama3RopeScaling> llama3;
};

struct QuantConfig {
  unsigned bits = 4;           ///< 4 or 8
  std::size_t group_size = 0;  ///< rows; 0: one group
  kernels::GptqVersion version = kernels::GptqVersion::v1;
  std::optional<bool> desc_act;  ///< as stated; g_idx decides
  std::optional<bool> sym;       ///< as stated; the zero points decide
  bool lm_head = false;          ///< whether the head is said to be quantised too; the tensors decide
  std::string file_base_name;    ///< of a single file with a name of its own; empty: none
};

/// What generation_config.json proposes. Nothing applies it unless asked to.
struct SamplingDefaults {
  std::optional<bool> do_sample;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::uint64_t> top_k;
  std::optional<double> repetition_penalty;
};

struct ModelConfig {
  Architecture architecture = Architecture::qwen2;
  std::size_t hidden_size = 0;
  std::size_t intermediate_size = 0;
  std::size_t layers = 0;
  std::size_t heads = 0;
  std::size_t kv_heads = 0;    ///< divides heads
  std::size_t head_dim = 0;    ///< even; heads * head_dim need not be hidden_size
  std::size_t vocab_size = 0;  ///< rows of the embedding; the tokenizer may know fewer ids
  std::size_t max_positions = 0;
  double rms_norm_eps = 0;
  RopeConfig rope;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  std::optional<Dtype> dtype;  ///< as stated; each tensor has its own
  std::optional<std::uint32_t> bos_token_id;
  /// Of generation_config.json and config.json, in this order, each once. The tokenizer's own end token comes on top.
  std::vector<std::uint32_t> stop_token_ids;
  SamplingDefaults sampling;
  std::optional<QuantConfig> quantization;

  std::size_t q_size() const noexcept { return heads * head_dim; }
  std::size_t kv_size() const noexcept { return kv_heads * head_dim; }
};

/// The linear layers of a block, in the order of `layer_linears`.
enum class LinearId : std::uint8_t { q, k, v, o, gate, up, down };
inline constexpr std::size_t kLinearsPerLayer = 7;

struct LinearShape {
  std::string_view name;  ///< below "model.layers.N.": "self_attn.q_proj"
  std::size_t in = 0;
  std::size_t out = 0;
  bool has_bias = false;  ///< by the architecture; files may carry more
};

std::array<LinearShape, kLinearsPerLayer> layer_linears(const ModelConfig& config);

/// The texts of a folder's JSON files, with their paths for messages.
struct ConfigTexts {
  struct File {
    std::string path;
    std::string text;
  };
  File config;                            ///< config.json
  std::optional<File> generation_config;  ///< generation_config.json
  std::optional<File> quantize_config;    ///< quantize_config.json or quant_config.json
};

struct ParsedConfig {
  ModelConfig config;
  std::vector<std::string> warnings;  ///< what was ignored or assumed, one line each
};

/// Reads them. Whatever would change the arithmetic and is not known here (architectures, activations, rope types,
/// sliding windows, quantisation methods) is refused by the name of its field, never guessed.
CheckpointResult<ParsedConfig> parse_model_config(const ConfigTexts& texts);

}  // namespace refserver
