// Sizes as in the published config.json files.
#include "refserver/checkpoint/presets.hpp"

#include <algorithm>

namespace refserver {
namespace {

struct Sizes {
  std::size_t hidden, intermediate, layers, heads, kv_heads, vocab, positions;
};

ModelConfig base(Architecture architecture, const Sizes& sizes, double theta) {
  ModelConfig config;
  config.architecture = architecture;
  config.hidden_size = sizes.hidden;
  config.intermediate_size = sizes.intermediate;
  config.layers = sizes.layers;
  config.heads = sizes.heads;
  config.kv_heads = sizes.kv_heads;
  config.head_dim = sizes.hidden / sizes.heads;
  config.vocab_size = sizes.vocab;
  config.max_positions = sizes.positions;
  config.rms_norm_eps = architecture == Architecture::qwen2 ? 1e-6 : 1e-5;
  config.rope.theta = theta;
  config.qkv_bias = architecture == Architecture::qwen2;
  config.dtype = Dtype::f16;
  config.quantization = QuantConfig{.bits = 4,
                                    .group_size = 128,
                                    .version = kernels::GptqVersion::v1,
                                    .desc_act = false,
                                    .sym = true,
                                    .lm_head = false,
                                    .file_base_name = {}};
  return config;
}

ModelConfig qwen2(const Sizes& sizes, bool tied) {
  ModelConfig config = base(Architecture::qwen2, sizes, 1e6);
  config.tie_word_embeddings = tied;
  return config;
}

/// Llama 3.1 and later: scaled frequencies, and published with activations ordered (desc_act).
ModelConfig llama3(const Sizes& sizes, double theta, Llama3RopeScaling scaling, bool tied) {
  ModelConfig config = base(Architecture::llama, sizes, theta);
  config.rope.llama3 = scaling;
  config.tie_word_embeddings = tied;
  config.quantization->desc_act = true;
  return config;
}

std::vector<ModelPreset> make_presets() {
  const Sizes tiny{128, 256, 2, 4, 2, 1024, 2048};
  // Over 32 dimensions and 64 positions, frequencies fall into all three ranges of the scaling.
  const Llama3RopeScaling tiny_scaling{8, 1, 4, 64};
  const Llama3RopeScaling llama31{8, 1, 4, 8192};
  const Llama3RopeScaling llama32{32, 1, 4, 8192};
  return {
      {"tiny-qwen2", {}, qwen2(tiny, false)},
      {"tiny-llama", {}, llama3(tiny, 10000, tiny_scaling, false)},
      {"qwen2-0.5b", {"Qwen2-0.5B-Instruct-GPTQ-Int4"}, qwen2({896, 4864, 24, 14, 2, 151936, 32768}, true)},
      {"tinyllama-1.1b", {}, base(Architecture::llama, {2048, 5632, 22, 32, 4, 32000, 2048}, 10000)},
      {"llama-3.2-1b", {}, llama3({2048, 8192, 16, 32, 8, 128256, 131072}, 5e5, llama32, true)},
      {"qwen2-1.5b", {"Qwen2-1.5B-Instruct-GPTQ-Int4"}, qwen2({1536, 8960, 28, 12, 2, 151936, 32768}, true)},
      {"qwen2-7b",
       {"Qwen2-7B-Instruct-GPTQ-Int4", "Qwen2.5-7B-Instruct-GPTQ-Int4"},
       qwen2({3584, 18944, 28, 28, 4, 152064, 32768}, false)},
      {"llama-3.1-8b",
       {"Meta-Llama-3.1-8B-Instruct-GPTQ-INT4"},
       llama3({4096, 14336, 32, 32, 8, 128256, 131072}, 5e5, llama31, false)},
  };
}

}  // namespace

const std::vector<ModelPreset>& model_presets() {
  static const std::vector<ModelPreset> presets = make_presets();
  return presets;
}

const ModelPreset* find_preset(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view repository = slash == std::string_view::npos ? name : name.substr(slash + 1);
  for (const ModelPreset& preset : model_presets()) {
    if (preset.name == name || std::ranges::find(preset.published, repository) != preset.published.end())
      return &preset;
  }
  return nullptr;
}

}  // namespace refserver
