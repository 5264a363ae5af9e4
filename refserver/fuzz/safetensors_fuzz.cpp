// libFuzzer entry: any bytes as a safetensors header, as a model's configuration or as an index of shards end in a
// description that holds or in an error with a text.
// Not part of the build (g++ has no libFuzzer). With clang:
//   cd refserver/checkpoint; clang++ -std=c++20 -g -O1 -fsanitize=fuzzer,address,undefined -I../.. \
//     ../fuzz/safetensors_fuzz.cpp checkpoint_error.cpp config_fields.cpp dtype.cpp json_document.cpp mapped_file.cpp \
//     model_config.cpp quant_config.cpp rope_config.cpp safetensors.cpp safetensors_header.cpp shard_index.cpp -lfmt \
//     -o safetensors_fuzz
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "refserver/checkpoint/model_config.hpp"
#include "refserver/checkpoint/safetensors.hpp"
#include "refserver/checkpoint/shard_index.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// The first two bytes are how much data follows the header, so that both agreeing and lying ones are common.
void read_header(std::string_view text) {
  if (text.size() < 2) return;
  const auto byte = [&text](std::size_t i) { return static_cast<std::uint64_t>(static_cast<unsigned char>(text[i])); };
  const std::uint64_t data_bytes = byte(0) | byte(1) << 8U;
  const auto entries = refserver::parse_safetensors_header(text.substr(2), data_bytes, "fuzz");
  if (entries.has_error()) return require(!entries.error().text.empty());
  std::uint64_t at = 0;
  for (const auto& entry : *entries) {
    std::uint64_t bytes = refserver::size_of(entry.dtype);
    for (const std::uint64_t dimension : entry.shape) bytes *= dimension;
    require(entry.begin == at && entry.end - entry.begin == bytes);
    at = entry.end;
  }
  require(at == data_bytes);
}

void read_config(std::string_view text) {
  refserver::ConfigTexts texts{
      .config = {"config.json", std::string(text)}, .generation_config = {}, .quantize_config = {}};
  const std::size_t cut = text.find('\0');  // what follows a zero byte is the two smaller files
  if (cut != std::string_view::npos) {
    texts.config.text = std::string(text.substr(0, cut));
    texts.generation_config = {"generation_config.json", std::string(text.substr(cut + 1))};
    texts.quantize_config = {"quantize_config.json", std::string(text.substr(cut + 1))};
  }
  const auto parsed = refserver::parse_model_config(texts);
  if (parsed.has_error()) return require(!parsed.error().text.empty());
  const refserver::ModelConfig& config = parsed->config;
  require(config.kv_heads > 0 && config.heads % config.kv_heads == 0 && config.head_dim % 2 == 0 && config.layers > 0);
  for (const std::uint32_t id : config.stop_token_ids) require(id < config.vocab_size);
  if (config.quantization) require(config.quantization->bits == 4 || config.quantization->bits == 8);
}

void read_index(std::string_view text) {
  const auto index = refserver::parse_shard_index(text, "fuzz");
  if (index.has_error()) return require(!index.error().text.empty());
  for (const auto& [shard, tensors] : index->tensors_of) {
    require(shard.find('/') == std::string::npos && !tensors.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 3) {
    case 0:
      read_header(text);
      break;
    case 1:
      read_config(text);
      break;
    default:
      read_index(text);
      break;
  }
  return 0;
}
