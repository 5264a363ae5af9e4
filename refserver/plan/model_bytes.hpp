// How many bytes a model has, part by part, and how many of them a GPU holds. Pure arithmetic on a configuration.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "refserver/checkpoint/model_config.hpp"

namespace refserver {

enum class EmbeddingPlace : std::uint8_t {
  host,  ///< one row per token is copied to the GPU
  gpu,
};
enum class HeadForm : std::uint8_t {
  stored,  ///< as the files have it
  int8,    ///< one scale per row
  int4,    ///< one scale per row and 128 inputs
};
enum class KvForm : std::uint8_t {
  fp16,
  fp8,   ///< one scale per tensor, not counted
  int8,  ///< one fp16 scale per token, head, and K or V
};

struct WeightPlacement {
  EmbeddingPlace embedding = EmbeddingPlace::host;
  HeadForm head = HeadForm::stored;
};

/// One part of the weights: bytes in the files and bytes on the GPU. Both exact.
struct WeightPart {
  std::string name;
  std::uint64_t stored = 0;
  std::uint64_t on_gpu = 0;
  bool is_read_each_step = true;  ///< false for an embedding, of which one row is read
};

/// In a fixed order, the same for every model.
std::vector<WeightPart> weight_parts(const ModelConfig& config, const WeightPlacement& placement);

/// Weights of the linear layers of all blocks; and of the head.
std::uint64_t linear_elements(const ModelConfig& config);
std::uint64_t head_elements(const ModelConfig& config);

/// Keys and values of one token in all layers.
std::uint64_t kv_bytes_per_token(const ModelConfig& config, KvForm form);

}  // namespace refserver
