// A folder from its configuration to its last tensor.
#include "refserver/checkpoint/checkpoint.hpp"

#include <fmt/format.h>

#include <system_error>
#include <utility>

#include "refserver/checkpoint/linear_reader.hpp"
#include "refserver/checkpoint/mapped_file.hpp"
#include "refserver/checkpoint/tensor_reader.hpp"
#include "refserver/checkpoint/tensor_store.hpp"

namespace refserver {

struct Checkpoint::Parts {
  ModelConfig config;
  TensorStore store;
  TensorCopies copies;
  PlainMatrix embedding;
  std::vector<LayerWeights> layers;
  PlainVector final_norm;
  std::optional<Linear> lm_head;
  std::vector<std::string> warnings;
};

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20U;

CheckpointResult<std::optional<ConfigTexts::File>> read_optional(const fs::path& path) {
  std::error_code ec;
  if (!fs::exists(path, ec)) return std::optional<ConfigTexts::File>();
  auto text = read_small_file(path, kMaxConfigBytes);
  if (text.has_error()) return text.error();
  return std::optional(ConfigTexts::File{path.string(), std::move(*text)});
}

std::optional<LayerWeights> read_layer(TensorReader& reader, const ModelConfig& config, std::size_t index) {
  const std::string prefix = fmt::format("model.layers.{}.", index);
  const QuantConfig* const quant = config.quantization ? &*config.quantization : nullptr;
  const PlainVector input_norm = reader.vector(prefix + "input_layernorm.weight", config.hidden_size);
  const PlainVector middle_norm = reader.vector(prefix + "post_attention_layernorm.weight", config.hidden_size);
  std::vector<Linear> linears;
  for (const LinearShape& shape : layer_linears(config)) {
    auto linear = read_linear(
        reader, {prefix + std::string(shape.name), shape.in, shape.out, shape.has_bias, quant != nullptr}, quant);
    if (!linear) return std::nullopt;
    linears.push_back(*linear);
  }
  if (reader.failed()) return std::nullopt;
  return LayerWeights{input_norm,  linears[0], linears[1], linears[2], linears[3],
                      middle_norm, linears[4], linears[5], linears[6]};
}

/// With tied embeddings a head in the file is a copy at best, and the configuration says not to look at it.
std::optional<Linear> read_head(TensorReader& reader, const ModelConfig& config, const PlainMatrix& embedding) {
  if (config.tie_word_embeddings) {
    if (reader.find("lm_head.weight") != nullptr) {
      reader.warn("is not used: tie_word_embeddings is true", "lm_head.weight");
    }
    return Linear{"lm_head", config.hidden_size, config.vocab_size, embedding, std::nullopt};
  }
  const QuantConfig* const quant = config.quantization ? &*config.quantization : nullptr;
  return read_linear(
      reader, {"lm_head", config.hidden_size, config.vocab_size, false, quant != nullptr && quant->lm_head}, quant);
}

}  // namespace

float Linear::at(std::size_t k, std::size_t n) const {
  if (const auto* const q = quantized()) return q->matrix.weight(k, n);
  return plain()->at(n, k);
}

CheckpointResult<ParsedConfig> read_model_config(const fs::path& folder) {
  std::error_code ec;
  if (!fs::is_directory(folder, ec)) {
    return CheckpointError{CheckpointErrc::unreadable, folder.string(), "", "is not a folder"};
  }
  ConfigTexts texts;
  const fs::path config = folder / "config.json";
  auto text = read_small_file(config, kMaxConfigBytes);
  if (text.has_error()) return text.error();
  texts.config = {config.string(), std::move(*text)};
  auto generation = read_optional(folder / "generation_config.json");
  if (generation.has_error()) return generation.error();
  texts.generation_config = std::move(*generation);
  for (const char* const name : {"quantize_config.json", "quant_config.json"}) {
    auto quantize = read_optional(folder / name);
    if (quantize.has_error()) return quantize.error();
    if (!texts.quantize_config) texts.quantize_config = std::move(*quantize);
  }
  return parse_model_config(texts);
}

CheckpointResult<Checkpoint> Checkpoint::open(const fs::path& folder) {
  auto parsed = read_model_config(folder);
  if (parsed.has_error()) return parsed.error();
  const std::string base_name = parsed->config.quantization ? parsed->config.quantization->file_base_name : "";
  auto store = TensorStore::open(folder, base_name);
  if (store.has_error()) return store.error();
  auto parts = std::make_unique<Parts>(
      Parts{std::move(parsed->config), std::move(*store), {}, {}, {}, {}, {}, std::move(parsed->warnings)});
  const ModelConfig& config = parts->config;
  TensorReader reader(parts->store, parts->copies);
  parts->embedding = reader.matrix("model.embed_tokens.weight", config.vocab_size, config.hidden_size);
  for (std::size_t i = 0; i < config.layers && !reader.failed(); ++i) {
    if (auto layer = read_layer(reader, config, i)) parts->layers.push_back(*layer);
  }
  parts->final_norm = reader.vector("model.norm.weight", config.hidden_size);
  parts->lm_head = read_head(reader, config, parts->embedding);
  if (reader.failed()) return *reader.error();
  for (const auto& line : parts->store.warnings()) parts->warnings.push_back(line);
  for (auto& line : reader.take_warnings()) parts->warnings.push_back(std::move(line));
  return Checkpoint(std::move(parts));
}

Checkpoint::Checkpoint(std::unique_ptr<Parts> parts) noexcept : parts_(std::move(parts)) {}
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

const ModelConfig& Checkpoint::config() const noexcept {
  return parts_->config;
}
const PlainMatrix& Checkpoint::embedding() const noexcept {
  return parts_->embedding;
}
const std::vector<LayerWeights>& Checkpoint::layers() const noexcept {
  return parts_->layers;
}
const PlainVector& Checkpoint::final_norm() const noexcept {
  return parts_->final_norm;
}
const Linear& Checkpoint::lm_head() const noexcept {
  return *parts_->lm_head;
}
const std::vector<std::string>& Checkpoint::warnings() const noexcept {
  return parts_->warnings;
}
std::uint64_t Checkpoint::stored_bytes() const noexcept {
  return parts_->store.total_bytes();
}
std::size_t Checkpoint::file_count() const noexcept {
  return parts_->store.file_count();
}

}  // namespace refserver
